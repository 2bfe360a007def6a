/* SPDX-License-Identifier: GPL-2.0 */
/* Launch: start the kernel in a slot on an offline processor. */
#ifndef TWIN_LAUNCH_H
#define TWIN_LAUNCH_H

#include "twin.h"

int twin_launch(struct twinkernel_launch *launch);

#endif
