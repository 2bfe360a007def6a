/* SPDX-License-Identifier: GPL-2.0 */
/* Park: the last processor waits, intact, for the instance to succeed or fail. */
#ifndef TWIN_PARK_H
#define TWIN_PARK_H

#include "twin.h"

int twin_park(struct twinkernel_park *park);

#endif
