/* SPDX-License-Identifier: GPL-2.0 */
/* Slots: physical memory that this kernel has let go of, for an instance to boot in. */
#ifndef TWIN_SLOT_H
#define TWIN_SLOT_H

#include "twin.h"
#include <linux/list.h>

struct vm_area_struct;
struct twin_node;

/**
 * struct twin_slot - under twin_lock, but @mappings
 * @link: in the list of slots
 * @id: 1.., never used twice
 * @flags: TWINKERNEL_SLOT_*
 * @start: physical address
 * @bytes: length
 * @low_start: its window below 1 MiB, TWIN_WINDOW_BYTES long
 * @low_pages: of the window, when it came from the allocator; NULL otherwise
 * @instance: id of the instance in it, 0: none
 * @node: in sysfs; may be NULL
 * @mappings: areas of user space that map it or its window
 */
struct twin_slot {
	struct list_head link;
	u32 id;
	u32 flags;
	u64 start;
	u64 bytes;
	u64 low_start;
	struct page *low_pages;
	u32 instance;
	struct twin_node *node;
	atomic_t mappings;
};

int twin_slot_init(void);
void twin_slot_exit(void);
struct twin_slot *twin_slot_find(u32 id);
bool twin_slot_has(const struct twin_slot *slot, u64 start, u64 bytes);
bool twin_slot_overlaps(u64 start, u64 bytes);
bool twin_slot_busy(const struct twin_slot *slot);

bool twin_slot_look(u32 id, struct twinkernel_slot *view);

void twin_slot_freeze(void);
void twin_slot_thaw(void);
int twin_slot_free(u64 start, u64 bytes);
int twin_slot_claim(struct twinkernel_claim_slot *claim);
int twin_slot_release(struct twinkernel_release_slot *release);
int twin_slot_list(struct twinkernel_slots *slots);
int twin_slot_mmap(struct vm_area_struct *vma);

#endif
