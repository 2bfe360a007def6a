/* SPDX-License-Identifier: GPL-2.0 */
/* Instances: the kernels that this one launched. */
#ifndef TWIN_INSTANCE_H
#define TWIN_INSTANCE_H

#include "twin.h"
#include <linux/cpumask.h>
#include <linux/list.h>
#include <linux/ktime.h>
#include "include/abi/control.h"
#include "given.h"

struct twin_control;
struct twin_node;
struct twin_slot;

/**
 * struct twin_instance - under twin_lock, but what the heartbeat samples
 * @link: in the list of instances
 * @id: 1.., never used twice
 * @slot: where it lives
 * @control: what it shares with this kernel; its writes are not trusted
 * @cpus: processors of this kernel that it was given
 * @cpu_entries: entries for processors in the control block, with those taken back
 * @functions: PCI functions of this kernel that it was given
 * @memory: pieces of this kernel's memory that it was given, as in the control block
 * @changes: counts what it was given and gave back
 * @image_id: what runs, as the launch named it
 * @armed: a panic of this kernel hands the machine to it
 * @node: in sysfs; may be NULL
 * @seen_beat: the heartbeat last seen
 * @seen_state: the state last seen
 * @seen_at: when either changed
 */
struct twin_instance {
	struct list_head link;
	u32 id;
	struct twin_slot *slot;
	struct twin_control *control;
	struct cpumask cpus;
	u32 cpu_entries;
	struct twin_given_function functions[TWIN_CONTROL_MAX_FUNCTIONS];
	u64 memory[TWIN_CONTROL_MAX_MEMORY];
	u32 changes;
	char image_id[TWINKERNEL_IMAGE_ID];
	bool armed;
	struct twin_node *node;
	u64 seen_beat;
	u32 seen_state;
	ktime_t seen_at;
};

/**
 * struct twin_instance_view - what can be said of an instance
 * @seen: as the ioctl tells it
 * @cpus: given to it
 * @functions: given to it, as in the control block; 0: none
 * @memory_bytes: of memory given to it beside its slot
 * @changes: how often any of these changed
 * @image_id: as the launch named it
 * @armed: a panic of this kernel hands the machine to it
 */
struct twin_instance_view {
	struct twinkernel_instance seen;
	struct cpumask cpus;
	u32 functions[TWIN_CONTROL_MAX_FUNCTIONS];
	u64 memory_bytes;
	u32 changes;
	char image_id[TWINKERNEL_IMAGE_ID];
	bool armed;
};

struct twin_instance *twin_instance_create(struct twin_slot *slot, const struct twinkernel_launch *launch);
bool twin_instance_look(u32 id, struct twin_instance_view *view);
void twin_instance_changed(struct twin_instance *instance);
int twin_instance_give(struct twin_instance *instance, unsigned int cpu);
void twin_instance_reset(struct twin_instance *instance);
void twin_instance_forget(struct twin_instance *instance);
struct twin_instance *twin_instance_find(u32 id);
bool twin_instance_any(void);
bool twin_instance_has_memory(u64 start, u64 bytes);
u32 twin_instance_of_cpu(unsigned int cpu);
u32 twin_instance_state(const struct twin_instance *instance);
void twin_instance_beat(ktime_t now);

int twin_instance_stop(struct twinkernel_stop *stop);
int twin_instance_give_cpu(struct twinkernel_give_cpu *give);
int twin_instance_take_cpu(struct twinkernel_give_cpu *take);
int twin_instance_list(struct twinkernel_instances *instances);

#endif
