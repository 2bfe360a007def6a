// SPDX-License-Identifier: GPL-2.0
/*
 * Windows below 1 MiB. Kernels from 5.13 on reserve all of it and use only their own real-mode blob: a
 * firmware-booted kernel wherever its allocator put it (just below the BIOS area, as a rule), a twin-booted
 * one in its window. What the allocator owns, and what carries the end mark of a blob, is not given out.
 * Kernels up to 5.12 let their allocator have that memory: there a window is allocated like any other memory.
 */
#include "twin.h"
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/list.h>
#include <linux/mm.h>
#include "machine.h"
#include "window.h"

#define WINDOW_FIRST	0x10000
#define WINDOW_END	0x90000

/* arch/x86/realmode/rm/realmode.h; the blob ends with it and is smaller than a window. */
#define REALMODE_END_SIGNATURE	0x65a22c82

/**
 * twin_window_next() - walk the candidates
 * @start: the last one, or 0 to begin
 *
 * Return: the next candidate, 0 when there is none.
 */
u64 twin_window_next(u64 start)
{
	start = start ? start + TWIN_WINDOW_BYTES : WINDOW_FIRST;
	return start < WINDOW_END ? start : 0;
}

static bool overlaps(u64 start, u64 other, u64 bytes)
{
	return start < other + bytes && other < start + TWIN_WINDOW_BYTES;
}

static bool pages_reserved(u64 start)
{
	for (u64 at = start; at < start + TWIN_WINDOW_BYTES; at += PAGE_SIZE)
		if (!pfn_valid(PHYS_PFN(at)) || !PageReserved(pfn_to_page(PHYS_PFN(at))))
			return false;
	return true;
}

/* A blob that ends behind the window may begin in it. */
static bool holds_blob(u64 start)
{
	u64 end = min_t(u64, start + 2 * TWIN_WINDOW_BYTES, 0xa0000);

	for (u64 at = start; at < end; at += sizeof(u32)) {
		if (!twin_machine_has(ALIGN_DOWN(at, PAGE_SIZE), PAGE_SIZE)) {
			at = ALIGN_DOWN(at, PAGE_SIZE) + PAGE_SIZE - sizeof(u32);
			continue;
		}
		if (*(u32 *)phys_to_virt(at) == REALMODE_END_SIGNATURE)
			return true;
	}
	return false;
}

/**
 * twin_window_free() - does no kernel that this one knows of use the window?
 * @start: a candidate; the caller has ruled out the windows of claimed slots
 *
 * A twin-booted kernel knows its own window; blobs in others are left over from kernels that are gone.
 */
bool twin_window_free(u64 start)
{
	if (!twin_machine_has(start, TWIN_WINDOW_BYTES) || !pages_reserved(start))
		return false;
	if (twin_machine.twin_booted)
		return !overlaps(start, twin_machine.low_start, twin_machine.low_size);
	return !holds_blob(start);
}

/** twin_window_clear() - wipe a window, so that what lies there is not taken for a living kernel's */
void twin_window_clear(u64 start)
{
	memset(phys_to_virt(start), 0, TWIN_WINDOW_BYTES);
}

/* Only then is a search worth it: where all of that memory is reserved, it would empty the DMA zone for nothing. */
static bool allocator_has_any(void)
{
	for (u64 start = twin_window_next(0); start; start = twin_window_next(start))
		if (twin_machine_has(start, TWIN_WINDOW_BYTES) && !pages_reserved(start))
			return true;
	return false;
}

/**
 * twin_window_allocate() - a window out of this kernel's allocator
 * @pages: out, for twin_window_return()
 *
 * The allocator cannot be asked for memory below 1 MiB, only for DMA memory (16 MiB): what comes from elsewhere is
 * held until the search ends, so that it does not come again.
 *
 * Return: its physical address, 0 when none is to be had.
 */
u64 twin_window_allocate(struct page **pages)
{
	struct page *page, *next;
	LIST_HEAD(elsewhere);
	u64 found = 0;

	static_assert(TWIN_WINDOW_BYTES == PAGE_SIZE << TWIN_WINDOW_ORDER);
	while (!found && allocator_has_any()) {
		page = alloc_pages(GFP_KERNEL | GFP_DMA | __GFP_NORETRY | __GFP_NOWARN, TWIN_WINDOW_ORDER);
		if (!page)
			break;
		if (page_to_phys(page) >= WINDOW_FIRST && page_to_phys(page) < WINDOW_END) {
			found = page_to_phys(page);
			*pages = page;
		} else {
			list_add(&page->lru, &elsewhere);
		}
	}
	list_for_each_entry_safe(page, next, &elsewhere, lru) {
		list_del(&page->lru);
		__free_pages(page, TWIN_WINDOW_ORDER);
	}
	return found;
}

/** twin_window_return() - give the allocator its pages back; NULL is nothing */
void twin_window_return(struct page *pages)
{
	if (pages)
		__free_pages(pages, TWIN_WINDOW_ORDER);
}
