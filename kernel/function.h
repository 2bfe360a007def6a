/* SPDX-License-Identifier: GPL-2.0 */
/* Functions: PCI functions that this kernel takes over from its parent. */
#ifndef TWIN_FUNCTION_H
#define TWIN_FUNCTION_H

#include "twin.h"

int twin_function_init(void);
int twin_function_adopt(struct twinkernel_adopt_function *adopt);
int twin_function_release(struct twinkernel_release_function *release);

#endif
