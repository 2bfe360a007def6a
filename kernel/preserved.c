// SPDX-License-Identifier: GPL-2.0
/*
 * Preserved memory: out of the kernel's use like a slot, but for good, and no part of the machine's memory any more, so that
 * whatever asks who may have which memory never finds it. Spans and pieces change only in a kernel that has neither parent nor
 * instance: no two kernels ever hold different lists. An instance gets the list in its control block, believes nothing that
 * does not add up, and hands it on.
 */
#include "twin.h"
#include <linux/ctype.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "include/abi/control.h"
#include "instance.h"
#include "machine.h"
#include "parent.h"
#include "piece.h"
#include "preserved.h"
#include "slot.h"

/* Changes under twin_lock, and, but for the pieces, between twin_slot_freeze() and twin_slot_thaw(). */
static struct twin_preserved preserved;
static u32 regions;	/* of the first spans, that are asked for in the resource tree: an instance's, not its own memory */

static bool overlap(u64 start, u64 bytes, u64 other, u64 other_bytes)
{
	return start < other + other_bytes && other < start + bytes;
}

/** twin_preserved_overlaps() - is any of a span preserved? With twin_lock, or in the memory notifier */
bool twin_preserved_overlaps(u64 start, u64 bytes)
{
	for (u32 i = 0; i < preserved.span_count; i++)
		if (overlap(start, bytes, preserved.spans[i].start, preserved.spans[i].bytes))
			return true;
	return false;
}

/** twin_preserved_hand_on() - tell the next kernel */
void twin_preserved_hand_on(struct twin_preserved *to)
{
	lockdep_assert_held(&twin_lock);
	*to = preserved;
}

/* Characters that make one file name, and no way out of its directory. */
static bool name_valid(const char *name)
{
	size_t length = strnlen(name, TWINKERNEL_PRESERVED_NAME);

	if (!length || length == TWINKERNEL_PRESERVED_NAME || name[0] == '.')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isascii(name[i]) || (!isalnum(name[i]) && !strchr("-_.", name[i])))
			return false;
	return true;
}

static const struct twinkernel_preserved_piece *find(const struct twin_preserved *list, const char *name)
{
	for (u32 i = 0; i < list->piece_count; i++)
		if (!strcmp(list->pieces[i].name, name))
			return &list->pieces[i];
	return NULL;
}

static bool piece_overlaps(const struct twin_preserved *list, u64 start, u64 bytes)
{
	for (u32 i = 0; i < list->piece_count; i++)
		if (overlap(start, bytes, list->pieces[i].start, list->pieces[i].bytes))
			return true;
	return false;
}

/* Where free memory in a span ends that begins at @at: at the next piece, or with the span. */
static u64 free_end(u64 at, u64 end)
{
	for (u32 i = 0; i < preserved.piece_count; i++)
		if (preserved.pieces[i].start >= at)
			end = min(end, preserved.pieces[i].start);
	return end;
}

/* Free memory, from each place at which it can begin: a span's start, a piece's end. Returns the first that is large enough. */
static u64 find_free(u64 bytes, u64 *largest)
{
	*largest = 0;
	for (u32 i = 0; i < preserved.span_count; i++) {
		u64 start = preserved.spans[i].start, end = start + preserved.spans[i].bytes;

		for (int piece = -1; piece < (int)preserved.piece_count; piece++) {
			const struct twinkernel_preserved_piece *before = &preserved.pieces[max(piece, 0)];
			u64 at = piece < 0 ? start : before->start + before->bytes, room;

			if (at < start || at >= end || piece_overlaps(&preserved, at, PAGE_SIZE))
				continue;
			room = free_end(at, end) - at;
			*largest = max(*largest, room);
			if (bytes && room >= bytes)
				return at;
		}
	}
	return 0;
}

static int zero(u64 start, u64 bytes)
{
	void *at = memremap(start, bytes, MEMREMAP_WB);

	if (!at)
		return -ENOMEM;
	for (u64 done = 0; done < bytes; done += PAGE_SIZE) {
		memset(at + done, 0, PAGE_SIZE);
		cond_resched();
	}
	memunmap(at);
	return 0;
}

/* Only a kernel that is alone has the right to change what all have. */
static int may_change(void)
{
	if (!twin_parent_committed())
		return -EAGAIN;
	return twin_instance_any() ? -EBUSY : 0;
}

/* TWINKERNEL_IOC_PRESERVE_MEMORY */
int twin_preserved_memory(struct twinkernel_preserve_memory *memory)
{
	int err;

	if (memory->reserved)
		return -EINVAL;
	mutex_lock(&twin_lock);
	err = may_change();
	if (err)
		goto out;
	twin_slot_freeze();
	err = twin_slot_free(memory->start, memory->bytes);
	if (!err && preserved.span_count == ARRAY_SIZE(preserved.spans))
		err = -ENOSPC;
	if (!err)
		err = twin_machine_cut_out(memory->start, memory->bytes);
	if (!err)
		preserved.spans[preserved.span_count++] = (struct twin_preserved_span){ memory->start, memory->bytes };
	twin_slot_thaw();
	if (err)
		goto out;
	/* What refuses to let its blocks go online must stay. */
	__module_get(THIS_MODULE);
	pr_info("preserves %#llx+%#llx\n", memory->start, memory->bytes);
out:
	mutex_unlock(&twin_lock);
	return err;
}

static int make(const char *name, u64 bytes)
{
	struct twinkernel_preserved_piece *piece = &preserved.pieces[preserved.piece_count];
	u64 largest;
	int err = may_change();

	if (err)
		return err;
	if (preserved.piece_count == ARRAY_SIZE(preserved.pieces))
		return -ENOSPC;
	*piece = (struct twinkernel_preserved_piece){ .start = find_free(bytes, &largest), .bytes = bytes };
	if (!piece->start)
		return -ENOSPC;
	strscpy_pad(piece->name, name, sizeof(piece->name));
	err = zero(piece->start, piece->bytes);
	if (!err)
		err = twin_piece_register(piece);
	if (!err)
		preserved.piece_count++;
	return err;
}

/* TWINKERNEL_IOC_PRESERVE */
int twin_preserved_make(struct twinkernel_preserve *preserve)
{
	const struct twinkernel_preserved_piece *piece;
	int err = 0;

	if (preserve->reserved || !name_valid(preserve->name) || !preserve->bytes || !PAGE_ALIGNED(preserve->bytes))
		return -EINVAL;
	mutex_lock(&twin_lock);
	piece = find(&preserved, preserve->name);
	if (!piece)
		err = make(preserve->name, preserve->bytes);
	else if (piece->bytes != preserve->bytes)
		err = -EEXIST;
	mutex_unlock(&twin_lock);
	return err;
}

/* TWINKERNEL_IOC_PRESERVED */
int twin_preserved_list(struct twinkernel_preserved *list)
{
	struct twin_preserved *now;
	u64 largest;
	int err = 0;

	if (list->reserved)
		return -EINVAL;
	now = kmalloc(sizeof(*now), GFP_KERNEL);
	if (!now)
		return -ENOMEM;
	mutex_lock(&twin_lock);
	*now = preserved;
	find_free(0, &largest);
	mutex_unlock(&twin_lock);
	list->count = now->piece_count;
	list->largest_free = largest;
	list->bytes = 0;
	for (u32 i = 0; i < now->span_count; i++)
		list->bytes += now->spans[i].bytes;
	if (list->pieces && copy_to_user(u64_to_user_ptr(list->pieces), now->pieces,
					 min(list->capacity, now->piece_count) * sizeof(now->pieces[0])))
		err = -EFAULT;
	kfree(now);
	return err;
}

static bool span_valid(u64 start, u64 bytes)
{
	if (!start || !bytes || !PAGE_ALIGNED(start) || !PAGE_ALIGNED(bytes) || start + bytes < start)
		return false;
	for (u32 i = 0; i < twin_machine.range_count; i++)
		if (overlap(start, bytes, twin_machine.ranges[i].start, twin_machine.ranges[i].size))
			return false;
	return region_intersects(start, bytes, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) == REGION_DISJOINT;
}

static bool in_one_span(const struct twin_preserved *list, u64 start, u64 bytes)
{
	for (u32 i = 0; i < list->span_count; i++)
		if (start >= list->spans[i].start && bytes <= list->spans[i].bytes &&
		    start - list->spans[i].start <= list->spans[i].bytes - bytes)
			return true;
	return false;
}

/* What the parent says, piece by piece: what was taken before is what the next must not touch. */
static int inherit(const struct twin_preserved *from)
{
	u32 spans = READ_ONCE(from->span_count), pieces = READ_ONCE(from->piece_count);
	struct twin_preserved *to = &preserved;

	if (spans > ARRAY_SIZE(from->spans) || pieces > ARRAY_SIZE(from->pieces))
		return -EPROTO;
	while (to->span_count < spans) {
		struct twin_preserved_span span = from->spans[to->span_count];

		if (!span_valid(span.start, span.bytes) || twin_preserved_overlaps(span.start, span.bytes))
			return -EPROTO;
		to->spans[to->span_count++] = span;
	}
	while (to->piece_count < pieces) {
		struct twinkernel_preserved_piece piece = from->pieces[to->piece_count];

		if (!name_valid(piece.name) || find(to, piece.name) || !piece.bytes || !PAGE_ALIGNED(piece.start) ||
		    !PAGE_ALIGNED(piece.bytes) || !in_one_span(to, piece.start, piece.bytes) ||
		    piece_overlaps(to, piece.start, piece.bytes))
			return -EPROTO;
		to->pieces[to->piece_count++] = piece;
	}
	return 0;
}

/**
 * twin_preserved_init() - find what the parent has preserved
 * @control: its control block, or NULL in a firmware-booted kernel
 *
 * Return: 0, -EPROTO when the list is inconsistent, -EBUSY when some of it is in use here, -ENOMEM.
 */
int twin_preserved_init(const struct twin_control *control)
{
	int err;

	if (!control)
		return 0;
	err = inherit(&control->preserved);
	if (err) {
		pr_err("the parent's list of preserved memory does not add up\n");
		goto err_exit;
	}
	/* Not System RAM here, so nobody's, and a device's addresses must not come to lie there. */
	for (; regions < preserved.span_count; regions++) {
		err = -EBUSY;
		if (!request_mem_region(preserved.spans[regions].start, preserved.spans[regions].bytes, "twinkernel preserved"))
			goto err_exit;
	}
	for (u32 i = 0; i < preserved.piece_count; i++) {
		err = twin_piece_register(&preserved.pieces[i]);
		if (err)
			goto err_exit;
	}
	return 0;

err_exit:
	twin_preserved_exit();
	return err;
}

/** twin_preserved_exit() - only while the module's loading fails: later, what is preserved pins it */
void twin_preserved_exit(void)
{
	twin_piece_unregister_all();
	while (regions)
		regions--, release_mem_region(preserved.spans[regions].start, preserved.spans[regions].bytes);
}
