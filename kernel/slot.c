// SPDX-License-Identifier: GPL-2.0
/*
 * Slots. Claimed from memory blocks that are offline, from a range that was reserved at boot and named
 * by the module's parameter, or from the region of the crash kernel. While a slot is claimed its blocks refuse
 * to go online, and the module stays.
 */
#include "twin.h"
#include <linux/kexec.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "instance.h"
#include "machine.h"
#include "memmap.h"
#include "parent.h"
#include "preserved.h"
#include "reserved.h"
#include "slot.h"
#include "sysfs.h"
#include "trace.h"
#include "window.h"

static LIST_HEAD(slots);	/* changes under twin_lock and slots_sem */
static DECLARE_RWSEM(slots_sem);	/* for the memory notifier, which must not wait for twin_lock */
static u32 last_id;

/* Going online right now: the kernel does one at a time. Written with slots_sem held to read, read with it held to write. */
static struct {
	u64 start;
	u64 bytes;
} coming;

struct twin_slot *twin_slot_find(u32 id)
{
	struct twin_slot *slot;

	lockdep_assert_held(&twin_lock);
	list_for_each_entry(slot, &slots, link)
		if (slot->id == id)
			return slot;
	return NULL;
}

/** twin_slot_has() - does a span lie inside the slot's memory? */
bool twin_slot_has(const struct twin_slot *slot, u64 start, u64 bytes)
{
	return bytes && bytes <= slot->bytes && start >= slot->start && start - slot->start <= slot->bytes - bytes;
}

/** twin_slot_overlaps() - does a span touch the memory of any claimed slot? */
bool twin_slot_overlaps(u64 start, u64 bytes)
{
	struct twin_slot *slot;

	list_for_each_entry(slot, &slots, link)
		if (start < slot->start + slot->bytes && slot->start < start + bytes)
			return true;
	return false;
}

/* This kernel's panic would jump into it, over whatever the slot holds by then. */
static bool crash_kernel_in(u32 flags)
{
	return (flags & TWINKERNEL_SLOT_CRASH_KERNEL) && kexec_crash_loaded();
}

/** twin_slot_busy() - must the slot be left alone? Something runs in it, maps it, or is to be jumped into by a panic */
bool twin_slot_busy(const struct twin_slot *slot)
{
	lockdep_assert_held(&twin_lock);
	return slot->instance || atomic_read(&slot->mappings) || crash_kernel_in(slot->flags);
}

static bool any_online(u64 start, u64 bytes)
{
	for (u64 at = start; at < start + bytes; at += (u64)PAGES_PER_SECTION << PAGE_SHIFT)
		if (pfn_to_online_page(PHYS_PFN(at)))
			return true;
	return false;
}

static u64 find_window(struct page **pages)
{
	struct twin_slot *slot;
	bool taken;

	for (u64 start = twin_window_next(0); start; start = twin_window_next(start)) {
		taken = false;
		list_for_each_entry(slot, &slots, link)
			taken |= slot->low_start == start;
		if (!taken && twin_window_free(start))
			return start;
	}
	return twin_window_allocate(pages);
}

/* Blocks on their way online: those that were let through and that nobody counts as online yet. */
static bool coming_online(u64 start, u64 bytes)
{
	return start < coming.start + coming.bytes && coming.start < start + bytes;
}

static int claimable(u64 start, u64 bytes, u32 *flags)
{
	unsigned long block = memory_block_size_bytes();

	if (!bytes || !IS_ALIGNED(start, block) || !IS_ALIGNED(bytes, block) || start + bytes < start)
		return -EINVAL;
	if (twin_preserved_overlaps(start, bytes))
		return -EEXIST;
	if (!twin_machine_has(start, bytes)) {
		const struct twinkernel_range *last = &twin_machine.ranges[twin_machine.range_count - 1];

		return start + bytes > last->start + last->size ? -EINVAL : -ENXIO;
	}
	if (twin_slot_overlaps(start, bytes) || twin_instance_has_memory(start, bytes))
		return -EEXIST;
	if (twin_reserved_has(start, bytes)) {
		*flags |= TWINKERNEL_SLOT_BOOT_RESERVED;
		return 0;
	}
	if (twin_memmap_is_crash_region(start, bytes)) {
		*flags |= TWINKERNEL_SLOT_CRASH_KERNEL;
		return crash_kernel_in(*flags) ? -EBUSY : 0;
	}
	if (any_online(start, bytes) || coming_online(start, bytes))
		return -EBUSY;
	return twin_memmap_is_ram(start, bytes) ? 0 : -ENXIO;
}

/** twin_slot_freeze() - from here on no memory block goes online that was not on its way already */
void twin_slot_freeze(void)
{
	down_write(&slots_sem);
}

void twin_slot_thaw(void)
{
	up_write(&slots_sem);
}

/** twin_slot_free() - is a span out of this kernel's use, and nobody else's? Between freeze and thaw; errnos of a claim */
int twin_slot_free(u64 start, u64 bytes)
{
	u32 flags = 0;
	int err;

	lockdep_assert_held(&slots_sem);
	err = claimable(start, bytes, &flags);
	return !err && flags & TWINKERNEL_SLOT_CRASH_KERNEL ? -ENXIO : err;
}

/* TWINKERNEL_IOC_CLAIM_SLOT */
int twin_slot_claim(struct twinkernel_claim_slot *claim)
{
	struct page *pages = NULL;
	struct twin_slot *slot;
	u32 flags = 0;
	u64 window;
	int err;

	if (claim->reserved)
		return -EINVAL;
	slot = kzalloc(sizeof(*slot), GFP_KERNEL);
	if (!slot)
		return -ENOMEM;
	mutex_lock(&twin_lock);
	/* Blocks must not go online between the look and the claim. */
	down_write(&slots_sem);
	err = twin_parent_committed() ? claimable(claim->start, claim->bytes, &flags) : -EAGAIN;
	if (err)
		goto err_unlock;
	window = find_window(&pages);
	err = -ENOSPC;
	if (!window)
		goto err_unlock;
	*slot = (struct twin_slot){
		.id = ++last_id, .flags = flags, .start = claim->start, .bytes = claim->bytes, .low_start = window,
		.low_pages = pages,
	};
	list_add_tail(&slot->link, &slots);
	__module_get(THIS_MODULE);
	claim->slot = slot->id;
	claim->flags = flags;
	claim->low_start = window;
	claim->low_size = TWIN_WINDOW_BYTES;
	up_write(&slots_sem);
	slot->node = twin_sysfs_add_slot(slot->id);
	trace_claim_slot(slot->id, slot->start, slot->bytes);
	mutex_unlock(&twin_lock);
	return 0;

err_unlock:
	up_write(&slots_sem);
	mutex_unlock(&twin_lock);
	kfree(slot);
	return err;
}

/* TWINKERNEL_IOC_RELEASE_SLOT */
int twin_slot_release(struct twinkernel_release_slot *release)
{
	struct twin_slot *slot;
	int err = -ENOENT;

	mutex_lock(&twin_lock);
	slot = twin_slot_find(release->slot);
	if (!slot)
		goto out;
	err = -EBUSY;
	if (slot->instance || atomic_read(&slot->mappings))
		goto out;
	down_write(&slots_sem);
	list_del(&slot->link);
	up_write(&slots_sem);
	twin_sysfs_remove(slot->node);
	trace_release_slot(slot->id, slot->start, slot->bytes);
	twin_window_clear(slot->low_start);
	twin_window_return(slot->low_pages);
	kfree(slot);
	module_put(THIS_MODULE);
	err = 0;
out:
	mutex_unlock(&twin_lock);
	return err;
}

static void describe(const struct twin_slot *slot, struct twinkernel_slot *out)
{
	*out = (struct twinkernel_slot){
		.slot = slot->id, .flags = slot->flags, .start = slot->start, .bytes = slot->bytes,
		.low_start = slot->low_start, .low_size = TWIN_WINDOW_BYTES, .instance = slot->instance,
	};
}

/** twin_slot_look() - describe one slot, without twin_lock; false when there is none of this id (any more) */
bool twin_slot_look(u32 id, struct twinkernel_slot *view)
{
	struct twin_slot *slot;
	bool found = false;

	down_read(&slots_sem);
	list_for_each_entry(slot, &slots, link) {
		if (slot->id != id)
			continue;
		describe(slot, view);
		found = true;
		break;
	}
	up_read(&slots_sem);
	return found;
}

/* TWINKERNEL_IOC_SLOTS */
int twin_slot_list(struct twinkernel_slots *list)
{
	u32 room = min_t(u32, list->capacity, 1024), count = 0;
	struct twinkernel_slot *out;
	struct twin_slot *slot;
	int err = 0;

	if (list->reserved)
		return -EINVAL;
	out = kvcalloc(room + 1, sizeof(*out), GFP_KERNEL);
	if (!out)
		return -ENOMEM;
	mutex_lock(&twin_lock);
	list_for_each_entry(slot, &slots, link) {
		if (count < room)
			describe(slot, &out[count]);
		count++;
	}
	mutex_unlock(&twin_lock);
	list->count = count;
	if (list->slots && copy_to_user(u64_to_user_ptr(list->slots), out, min(room, count) * sizeof(*out)))
		err = -EFAULT;
	kvfree(out);
	return err;
}

static void mapping_open(struct vm_area_struct *vma)
{
	struct twin_slot *slot = vma->vm_private_data;

	atomic_inc(&slot->mappings);
}

static void mapping_close(struct vm_area_struct *vma)
{
	struct twin_slot *slot = vma->vm_private_data;

	atomic_dec(&slot->mappings);
}

static const struct vm_operations_struct mapping_ops = {
	.open = mapping_open,
	.close = mapping_close,
};

/** twin_slot_mmap() - map a part of one slot without a running instance, or of its window */
int twin_slot_mmap(struct vm_area_struct *vma)
{
	u64 start = (u64)vma->vm_pgoff << PAGE_SHIFT, bytes = vma->vm_end - vma->vm_start;
	struct twin_slot *slot;
	int err = -ENXIO;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	mutex_lock(&twin_lock);
	list_for_each_entry(slot, &slots, link) {
		if (!twin_slot_has(slot, start, bytes) &&
		    !(start >= slot->low_start && start + bytes <= slot->low_start + TWIN_WINDOW_BYTES))
			continue;
		err = -EBUSY;
		if (slot->instance)
			break;
		err = remap_pfn_range(vma, vma->vm_start, vma->vm_pgoff, bytes, vma->vm_page_prot);
		if (err)
			break;
		atomic_inc(&slot->mappings);
		vma->vm_private_data = slot;
		vma->vm_ops = &mapping_ops;
		break;
	}
	mutex_unlock(&twin_lock);
	return err;
}

static int on_memory(struct notifier_block *block, unsigned long action, void *data)
{
	struct memory_notify *change = data;
	u64 start = PFN_PHYS(change->start_pfn), bytes = PFN_PHYS(change->nr_pages);
	bool refuse;

	if (action != MEM_GOING_ONLINE && action != MEM_ONLINE && action != MEM_CANCEL_ONLINE)
		return NOTIFY_OK;
	down_read(&slots_sem);
	refuse = action == MEM_GOING_ONLINE && (twin_slot_overlaps(start, bytes) || twin_instance_has_memory(start, bytes) ||
						twin_preserved_overlaps(start, bytes));
	coming.start = start;
	coming.bytes = action == MEM_GOING_ONLINE && !refuse ? bytes : 0;
	up_read(&slots_sem);
	return refuse ? notifier_from_errno(-EBUSY) : NOTIFY_OK;
}

static struct notifier_block memory_notifier = { .notifier_call = on_memory };

int twin_slot_init(void)
{
	return register_memory_notifier(&memory_notifier);
}

void twin_slot_exit(void)
{
	unregister_memory_notifier(&memory_notifier);
}
