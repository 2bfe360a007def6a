/* SPDX-License-Identifier: GPL-2.0 */
/* Removing memory names its node before 5.13. */
#ifndef TWIN_COMPAT_MEMORY_H
#define TWIN_COMPAT_MEMORY_H

#include <linux/memory_hotplug.h>
#include <linux/version.h>

static inline int twin_offline_and_remove_memory(u64 start, u64 bytes)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 13, 0)
	return offline_and_remove_memory(start, bytes);
#else
	return offline_and_remove_memory(memory_add_physaddr_to_nid(start), start, bytes);
#endif
}

#endif
