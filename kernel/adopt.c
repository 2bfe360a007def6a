// SPDX-License-Identifier: GPL-2.0
/*
 * The commit and what follows. No undo from the moment the parent's parked processor is reset: its memory
 * is then nobody's until it is adopted here.
 */
#include "twin.h"
#include <linux/cpu.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include "include/abi/control.h"
#include "compat/memory.h"
#include "adopt.h"
#include "cpu.h"
#include "ioapic.h"
#include "link.h"
#include "machine.h"
#include "memmap.h"
#include "parent.h"
#include "slot.h"
#include "trace.h"

static int bring_up(unsigned int cpu)
{
	int err;

	if (cpu_online(cpu))
		return 0;
	err = add_cpu(cpu);
	if (err)
		pr_err("processor %u did not come up: %d\n", cpu, err);
	return cpu_online(cpu) ? 0 : -EIO;
}

static int take_processors(const struct twin_control *control)
{
	u32 parked = READ_ONCE(control->parked_apic_id), apic_id;
	unsigned int cpu, last = nr_cpu_ids;
	int err = 0;

	for_each_present_cpu(cpu) {
		if (!twin_cpu_apic_id(cpu, &apic_id) && apic_id == parked)
			last = cpu;
		else if (bring_up(cpu))
			err = -EIO;
	}
	if (err)
		return err;	/* the parent is still whole: user space may return to it instead */
	if (last == nr_cpu_ids)
		return -EIO;
	/* What the parent programmed must not reach its last processor when that is this kernel's. */
	twin_ioapic_seize();
	err = bring_up(last);
	if (err)
		twin_ioapic_restore();
	else
		twin_ioapic_own();
	return err;
}

/* TWINKERNEL_IOC_COMMIT */
int twin_adopt_commit(struct twinkernel_commit *commit)
{
	int err = 0;

	mutex_lock(&twin_lock);
	if (twin_parent_committed()) {
		err = twin_machine.twin_booted ? 0 : -ENOENT;
		goto out;
	}
	err = -EAGAIN;
	if (!twin_parent_parked())
		goto out;
	twin_cpu_allow_all();
	err = take_processors(twin_parent_control());
	if (err)
		goto out;
	twin_parent_forget();
	twin_link_remove(0);
	pr_info("committed: %u processors\n", num_online_cpus());
out:
	commit->cpus_online = num_online_cpus();
	trace_commit(commit->cpus_online, err);
	mutex_unlock(&twin_lock);
	return err;
}

static bool all_reserved(u64 start, u64 end)
{
	for (u64 at = start; at < end; at += PAGE_SIZE)
		if (!PageReserved(pfn_to_page(PHYS_PFN(at))))
			return false;
	return true;
}

static void free_held(u64 start, u64 end)
{
	for (u64 at = start; at < end; at += PAGE_SIZE) {
		free_reserved_page(pfn_to_page(PHYS_PFN(at)));
		if (IS_ALIGNED(at, SZ_4M))
			cond_resched();
	}
	twin_memmap_forget_held(start, end - start);
}

/*
 * Walk the pieces of a span. With @act false only look: a request is refused as a whole, before anything
 * of it is done. Pieces that are owned already are not touched and counted in @owned.
 */
static int each_piece(u64 start, u64 end, bool act, u64 *owned)
{
	u64 block = memory_block_size_bytes(), next;

	for (u64 at = start; at < end; at = next) {
		u32 flags = twin_memmap_flags(at, end, &next);
		int err = 0;

		if (flags & TWINKERNEL_RANGE_OWNED) {
			*owned += next - at;
		} else if (flags & TWINKERNEL_RANGE_RESERVED) {
			u64 piece_end;

			/* Whole pieces only, as the query shows them. */
			if (at > start || (at && twin_memmap_flags(at - PAGE_SIZE, at, &piece_end) != flags))
				err = 0;
			twin_memmap_flags(at, U64_MAX, &piece_end);
			if (piece_end != next || !all_reserved(at, next))
				err = -EINVAL;
			else if (act)
				free_held(at, next);
		} else {
			if (!IS_ALIGNED(at, block) || !IS_ALIGNED(next, block))
				err = -EINVAL;
			else if (act)
				err = add_memory(memory_add_physaddr_to_nid(at), at, next - at, MHP_NONE);
		}
		if (err)
			return err;
	}
	return 0;
}

/* TWINKERNEL_IOC_ADOPT_MEMORY */
int twin_adopt_memory(struct twinkernel_adopt_memory *adopt)
{
	u64 start = adopt->start, end = start + adopt->bytes, owned = 0;
	bool given = false;
	int err;

	if (adopt->reserved || !PAGE_ALIGNED(start) || !PAGE_ALIGNED(adopt->bytes) || start < SZ_1M)
		return -EINVAL;
	mutex_lock(&twin_lock);
	err = -ENOENT;
	if (!twin_machine.twin_booted)
		goto out;
	err = -EAGAIN;
	given = twin_parent_use_memory(start, adopt->bytes, true);
	if (!twin_parent_committed() && !given)
		goto out;
	err = -EINVAL;
	if (!twin_machine_has(start, adopt->bytes))
		goto out;
	err = each_piece(start, end, false, &owned);
	if (err)
		goto out;
	err = -EEXIST;
	if (owned == adopt->bytes)
		goto out;
	err = each_piece(start, end, true, &owned);
	if (!err)
		trace_adopt_memory(0, start, adopt->bytes);
out:
	if (given && err && !owned)
		twin_parent_use_memory(start, adopt->bytes, false);
	mutex_unlock(&twin_lock);
	return err;
}

/* TWINKERNEL_IOC_RELEASE_MEMORY */
int twin_adopt_release_memory(struct twinkernel_release_memory *release)
{
	u64 start = release->start, end = start + release->bytes, block = memory_block_size_bytes(), next;
	int err = -ENOENT;

	if (release->reserved)
		return -EINVAL;
	mutex_lock(&twin_lock);
	if (!twin_parent_use_memory(start, release->bytes, true))
		goto out;
	for (u64 at = start; at < end; at += block) {
		if (!(twin_memmap_flags(at, end, &next) & TWINKERNEL_RANGE_OWNED))
			continue;
		err = twin_offline_and_remove_memory(at, block) ? -EBUSY : 0;
		if (err)
			goto out;
	}
	/* When nothing of it was here, it was not adopted; it is let go of all the same. */
	twin_parent_use_memory(start, release->bytes, false);
	if (!err)
		trace_release_memory(0, start, release->bytes);
out:
	mutex_unlock(&twin_lock);
	return err;
}
