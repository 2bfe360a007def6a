/* SPDX-License-Identifier: GPL-2.0 */
/* The panic notifiers' header is a part of linux/kernel.h before 5.14. */
#ifndef TWIN_COMPAT_PANIC_H
#define TWIN_COMPAT_PANIC_H

#include <linux/version.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 14, 0)
#include <linux/panic_notifier.h>
#else
#include <linux/kernel.h>
#include <linux/notifier.h>
#endif

#endif
