// SPDX-License-Identifier: GPL-2.0
#include "twintest.h"

void ioctl_errors(void)
{
	check(false, "not written yet");
}
