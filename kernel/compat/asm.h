/* SPDX-License-Identifier: GPL-2.0 */
/* As compat.h, for assembly. */
#ifndef TWIN_COMPAT_ASM_H
#define TWIN_COMPAT_ASM_H

#include <linux/version.h>

/* Event delivery under IBT lands on an ENDBR; kernels before 5.18 know none. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 18, 0)
#include <asm/ibt.h>
#define TWIN_ENDBR ENDBR
#else
#define TWIN_ENDBR
#endif

#endif
