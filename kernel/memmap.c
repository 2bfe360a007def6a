// SPDX-License-Identifier: GPL-2.0
/*
 * Ownership of memory. A twin-booted kernel has in its boot memory map the slot, its window below 1 MiB,
 * and pieces of the machine's memory that do not fill whole memory blocks: the boot loader listed these as
 * RAM but had them reserved (setup_data of type SETUP_INDIRECT), because the parent still lives there. They
 * are "held": present in this kernel's System RAM, not used by it until adopted.
 */
#include "twin.h"
#include <linux/ioport.h>
#include <linux/memory_hotplug.h>
#include <linux/sort.h>
#include <linux/mm.h>
#include "machine.h"
#include "memmap.h"
#include "reserved.h"

struct span {
	u64 start;
	u64 end;
};

static struct span held[TWINKERNEL_MAX_RANGES];	/* sorted; under twin_lock */
static u32 held_count;

#define RAM_FLAGS (IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY)

/*
 * System RAM, piece by piece, from @at on. Pieces of the resource tree that touch are one here: a boundary
 * need not lie on a page (the last byte of a held back piece may be of another type in the boot memory map).
 */
struct walk {
	u64 start;
	u64 end;
	bool found;
};

static int extend(struct resource *res, void *data)
{
	struct walk *walk = data;

	if (walk->found && res->start != walk->end)
		return 1;
	if (!walk->found)
		walk->start = res->start;
	walk->found = true;
	walk->end = res->end + 1;
	return 0;
}

static bool next_ram(u64 at, struct span *span)
{
	struct walk walk;

	do {
		walk = (struct walk){};
		walk_iomem_res_desc(IORES_DESC_NONE, RAM_FLAGS, at, -1, &walk, extend);
		if (!walk.found)
			return false;
		at = walk.end;
		*span = (struct span){ PAGE_ALIGN(walk.start), ALIGN_DOWN(walk.end, PAGE_SIZE) };
	} while (span->start >= span->end);
	return true;
}

struct collect {
	struct twinkernel_range *ranges;
	u32 room;
	u32 count;
};

static int append(struct collect *to, u64 start, u64 end, u32 node)
{
	struct twinkernel_range *last = to->count ? &to->ranges[to->count - 1] : NULL;

	if (last && last->start + last->size == start && last->node == node) {
		last->size = end - last->start;
		return 0;
	}
	if (to->count == to->room)
		return -E2BIG;
	to->ranges[to->count++] = (struct twinkernel_range){ .start = start, .size = end - start, .node = node };
	return 0;
}

static int append_by_node(struct collect *to, const struct span *ram)
{
	int err = 0;

	for (u64 at = ram->start, next; at < ram->end && !err; at = next) {
		next = min_t(u64, ram->end, ALIGN(at + 1, (u64)PAGES_PER_SECTION << PAGE_SHIFT));
		err = append(to, at, next, page_to_nid(pfn_to_page(PHYS_PFN(at))));
	}
	return err;
}

static int by_start(const void *a, const void *b)
{
	const struct twinkernel_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/**
 * twin_memmap_firmware() - the machine's memory as a firmware-booted kernel knows it
 * @ranges: filled, sorted: System RAM and what was reserved at boot for slots
 * @room: entries at @ranges
 *
 * Return: the number of entries, or -E2BIG.
 */
int twin_memmap_firmware(struct twinkernel_range *ranges, u32 room)
{
	struct collect to = { .ranges = ranges, .room = room };
	struct span ram;
	u64 start, bytes;
	int err;

	for (u64 at = 0; next_ram(at, &ram); at = ram.end) {
		err = append_by_node(&to, &ram);
		if (err)
			return err;
	}
	for (int i = 0; twin_reserved_range(i, &start, &bytes); i++) {
		err = append(&to, start, start + bytes, memory_add_physaddr_to_nid(start));
		if (err)
			return err;
	}
	sort(ranges, to.count, sizeof(*ranges), by_start, NULL);
	return to.count;
}

/**
 * twin_memmap_is_ram() - is all of a span in this kernel's memory map as System RAM, online or not?
 * @start: physical address, page aligned
 * @bytes: length
 */
bool twin_memmap_is_ram(u64 start, u64 bytes)
{
	struct span ram;

	return next_ram(start, &ram) && ram.start == start && ram.end >= start + bytes;
}

static int surrounds(struct resource *res, void *data)
{
	const struct span *span = data;

	return res->start <= span->start && res->end + 1 >= span->end;
}

/** twin_memmap_is_crash_region() - does all of a span lie in what crashkernel= took from this kernel? */
bool twin_memmap_is_crash_region(u64 start, u64 bytes)
{
	struct span span = { start, start + bytes };

	return walk_iomem_res_desc(IORES_DESC_CRASH_KERNEL, RAM_FLAGS, span.start, span.end - 1, &span, surrounds) == 1;
}

static void hold(u64 start, u64 end)
{
	if (start >= end || held_count == ARRAY_SIZE(held))
		return;
	/* A piece that the boot did not reserve is in use by now and never a candidate. */
	for (u64 at = start; at < end; at += PAGE_SIZE)
		if (!PageReserved(pfn_to_page(PHYS_PFN(at))))
			return;
	held[held_count++] = (struct span){ start, end };
	pr_info("held back %#llx..%#llx\n", start, end);
}

/**
 * twin_memmap_init() - find the pieces that a twin-booted kernel holds back
 *
 * Must run before any memory is hot-added.
 */
void twin_memmap_init(void)
{
	u64 slot = twin_machine.slot_start, slot_end = slot + twin_machine.slot_bytes;
	struct span ram;

	if (!twin_machine.twin_booted)
		return;
	for (u64 at = SZ_1M; next_ram(at, &ram); at = ram.end) {
		hold(ram.start, min(ram.end, slot));
		hold(max(ram.start, slot_end), ram.end);
	}
}

void twin_memmap_forget_held(u64 start, u64 bytes)
{
	lockdep_assert_held(&twin_lock);
	for (u32 i = 0; i < held_count; i++)
		if (held[i].start == start && held[i].end == start + bytes) {
			memmove(&held[i], &held[i + 1], (held_count - i - 1) * sizeof(held[0]));
			held_count--;
			return;
		}
}

/**
 * twin_memmap_flags() - TWINKERNEL_RANGE_* of the memory at an address
 * @at: physical address
 * @limit: look no further
 * @end: out: where the flags change, at most @limit
 */
u32 twin_memmap_flags(u64 at, u64 limit, u64 *end)
{
	u64 slot = twin_machine.slot_start, slot_end = slot + twin_machine.slot_bytes;
	struct span ram;

	*end = limit;
	if (slot_end) {
		if (at >= slot && at < slot_end) {
			*end = min(limit, slot_end);
			return TWINKERNEL_RANGE_OWNED;	/* with the tables at its end, which are no System RAM */
		}
		if (at < slot)
			*end = min(*end, slot);
	}
	for (u32 i = 0; i < held_count; i++) {
		if (at >= held[i].start && at < held[i].end) {
			*end = min(*end, held[i].end);
			return TWINKERNEL_RANGE_RESERVED;
		}
		if (at < held[i].start)
			*end = min(*end, held[i].start);
	}
	if (!next_ram(at, &ram))
		return 0;
	if (ram.start > at) {
		*end = min(*end, ram.start);
		return 0;
	}
	*end = min(*end, ram.end);
	return TWINKERNEL_RANGE_OWNED;
}

/**
 * twin_memmap_list() - the machine's memory from 1 MiB on, split where ownership changes
 * @ranges: filled as far as there is room
 * @room: entries at @ranges
 *
 * Return: the number of entries there are.
 */
int twin_memmap_list(struct twinkernel_range *ranges, u32 room)
{
	struct twinkernel_range last = {};
	u32 count = 0;

	for (u32 i = 0; i < twin_machine.range_count; i++) {
		const struct twinkernel_range *range = &twin_machine.ranges[i];
		u64 at = max_t(u64, range->start, SZ_1M), limit = range->start + range->size, end;

		for (; at < limit; at = end) {
			u32 flags = twin_memmap_flags(at, limit, &end);

			if (count && last.start + last.size == at && last.flags == flags && last.node == range->node)
				last.size = end - last.start;
			else
				last = (struct twinkernel_range){ at, end - at, flags, range->node }, count++;
			if (count <= room)
				ranges[count - 1] = last;
		}
	}
	return count;
}
