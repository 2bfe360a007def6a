/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every part of the module shares: the one lock.
 *
 * twin_lock orders all requests that change slots, instances or the relation to the parent. User memory
 * is never touched under it (mmap() takes it inside mmap_lock). The heartbeat, the panic notifier and the
 * CPU hotplug callback run without it and use what is documented as lockless.
 */
#ifndef TWIN_H
#define TWIN_H

#ifdef pr_fmt
#undef pr_fmt
#endif
#define pr_fmt(fmt) "twinkernel: " fmt

#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/types.h>
#include "include/uapi/twinkernel.h"

extern struct mutex twin_lock;

#endif
