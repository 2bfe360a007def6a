/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TWIN_SYSFS_H
#define TWIN_SYSFS_H

#include <linux/types.h>

struct twin_node;

int twin_sysfs_init(void);
void twin_sysfs_exit(void);
struct twin_node *twin_sysfs_add_instance(u32 id);
struct twin_node *twin_sysfs_add_slot(u32 id);
struct twin_node *twin_sysfs_add_link(u32 id);
void twin_sysfs_remove(struct twin_node *node);
void twin_sysfs_changed(void);

#endif
