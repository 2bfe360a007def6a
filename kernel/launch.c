// SPDX-License-Identifier: GPL-2.0
/*
 * Launch. Everything that a wrong boot would only show by a reset of the whole machine (a page table that
 * does not map the code) is checked before the processor is touched.
 */
#include "twin.h"
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include "control.h"
#include "cpu.h"
#include "instance.h"
#include "launch.h"
#include "machine.h"
#include "slot.h"
#include "trace.h"
#include "trampoline.h"
#include "window.h"

#define LAUNCH_TIMEOUT_US	(1000 * 1000)
#define SECOND_SIPI_US		(100 * 1000)

extern const u8 twin_trampoline_begin[], twin_trampoline_words[], twin_trampoline_end[];
extern const u8 twin_trampoline_protected[], twin_trampoline_long[], twin_trampoline_gdt[];
extern const u8 twin_halt_begin[], twin_halt_reached[], twin_halt_end[];

/* As at twin_trampoline_words in trampoline.S. */
struct trampoline_words {
	u32 protected_offset;
	u16 protected_segment;
	u16 pad1;
	u32 long_offset;
	u16 long_segment;
	u16 pad2;
	u64 entry;
	u64 boot_params;
	u64 page_table;
	u32 reached;
	u16 pad3;
	u16 gdt_limit;
	u32 gdt_base;
} __packed;

/**
 * twin_trampoline_start() - put the code that starts a 64-bit kernel into a page
 * @page: physical address below 1 MiB
 * @start: where to go
 *
 * Return: a word that becomes 1 when the processor is about to jump.
 */
const u32 *twin_trampoline_start(u64 page, const struct twin_start *start)
{
	u8 *to = phys_to_virt(page);
	struct trampoline_words *words = (void *)(to + (twin_trampoline_words - twin_trampoline_begin));

	static_assert(sizeof(struct trampoline_words) == 52);
	memcpy(to, twin_trampoline_begin, twin_trampoline_end - twin_trampoline_begin);
	words->protected_offset = page + (twin_trampoline_protected - twin_trampoline_begin);
	words->long_offset = page + (twin_trampoline_long - twin_trampoline_begin);
	words->gdt_base = page + (twin_trampoline_gdt - twin_trampoline_begin);
	words->entry = start->entry;
	words->boot_params = start->boot_params;
	words->page_table = start->page_table;
	return (const u32 *)((u8 *)words + offsetof(struct trampoline_words, reached));
}

/**
 * twin_trampoline_halt() - put a halt loop into a page
 * @page: physical address below 1 MiB
 *
 * Return: a word that becomes 1 when a processor has arrived.
 */
const u32 *twin_trampoline_halt(u64 page)
{
	u8 *to = phys_to_virt(page);

	memcpy(to, twin_halt_begin, twin_halt_end - twin_halt_begin);
	return (const u32 *)(to + (twin_halt_reached - twin_halt_begin));
}

#define ENTRY_PRESENT	BIT_ULL(0)
#define ENTRY_LARGE	BIT_ULL(7)
#define ENTRY_ADDRESS	GENMASK_ULL(51, 12)

/* Does the four-level table at @table, which must lie in the slot, map @address to itself? */
static bool identity_mapped(const struct twin_slot *slot, u64 table, u64 address)
{
	for (int shift = 39; shift >= 12; shift -= 9) {
		u64 entry, *entries, mask = (1ULL << shift) - 1;

		if (!twin_slot_has(slot, table, PAGE_SIZE))
			return false;
		entries = memremap(table, PAGE_SIZE, MEMREMAP_WB);
		if (!entries)
			return false;
		entry = entries[(address >> shift) & 511];
		memunmap(entries);
		if (!(entry & ENTRY_PRESENT))
			return false;
		if (shift == 12 || (shift < 39 && (entry & ENTRY_LARGE)))
			return (entry & ENTRY_ADDRESS & ~mask) == (address & ~mask);
		table = entry & ENTRY_ADDRESS;
	}
	return false;
}

static bool link_fits(const struct twin_slot *slot, const struct twinkernel_launch *launch)
{
	if (!launch->link)
		return !launch->link_bytes;
	return PAGE_ALIGNED(launch->link) && launch->link_bytes >= TWINKERNEL_LINK_BYTES_MIN &&
	       twin_slot_has(slot, launch->link, launch->link_bytes) &&
	       (launch->link >= launch->control + TWINKERNEL_CONTROL_BYTES ||
		launch->link + launch->link_bytes <= launch->control);
}

static int check_addresses(const struct twin_slot *slot, const struct twinkernel_launch *launch)
{
	u64 page_mask = PAGE_SIZE - 1;

	if ((launch->page_table | launch->boot_params | launch->control) & page_mask)
		return -EINVAL;
	/* CR3 is loaded from 32-bit code. */
	if (!twin_slot_has(slot, launch->entry, PAGE_SIZE) || launch->page_table > U32_MAX ||
	    !twin_slot_has(slot, launch->boot_params, PAGE_SIZE) ||
	    !twin_slot_has(slot, launch->control, TWINKERNEL_CONTROL_BYTES) || !link_fits(slot, launch))
		return -EINVAL;
	if (!identity_mapped(slot, launch->page_table, slot->low_start) ||
	    !identity_mapped(slot, launch->page_table, launch->entry) ||
	    !identity_mapped(slot, launch->page_table, launch->boot_params))
		return -EINVAL;
	return 0;
}

static bool is_text(const char *text, size_t room)
{
	size_t length = strnlen(text, room);

	for (size_t i = 0; i < length; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return length < room;
}

/* TWINKERNEL_IOC_LAUNCH */
int twin_launch(struct twinkernel_launch *launch)
{
	struct twin_start start = { launch->entry, launch->boot_params, launch->page_table };
	struct twin_instance *instance;
	struct twin_slot *slot;
	const u32 *reached;
	u32 apic_id, seen;
	int err;

	mutex_lock(&twin_lock);
	slot = twin_slot_find(launch->slot);
	err = slot ? twin_cpu_apic_id(launch->cpu, &apic_id) : -ENOENT;
	if (err)
		goto out;
	err = -EPERM;
	if (twin_machine.ipi_shorthand)
		goto out;
	err = -EBUSY;
	if (twin_slot_busy(slot))
		goto out;
	err = is_text(launch->image_id, sizeof(launch->image_id)) ? check_addresses(slot, launch) : -EINVAL;
	if (err)
		goto out;
	instance = twin_instance_create(slot, launch);
	err = PTR_ERR_OR_ZERO(instance);
	if (err)
		goto out;
	err = twin_instance_give(instance, launch->cpu);
	if (err)
		goto err_forget;

	twin_window_clear(slot->low_start);
	reached = twin_trampoline_start(slot->low_start, &start);
	twin_cpu_start(apic_id, slot->low_start);
	err = read_poll_timeout(READ_ONCE, seen, seen, 100, SECOND_SIPI_US, false, *reached);
	if (err) {
		twin_cpu_start_again(apic_id, slot->low_start);
		err = read_poll_timeout(READ_ONCE, seen, seen, 100, LAUNCH_TIMEOUT_US - SECOND_SIPI_US, false, *reached);
	}
	if (err) {
		twin_instance_reset(instance);
		goto err_forget;
	}
	twin_cpu_started(apic_id);
	launch->instance = instance->id;
	trace_launch(instance->id, launch->cpu, apic_id);
	pr_info("instance %u: processor %u (APIC id %u) started at %#llx\n", instance->id, launch->cpu, apic_id,
		launch->entry);
	mutex_unlock(&twin_lock);
	return 0;

err_forget:
	twin_instance_forget(instance);
out:
	mutex_unlock(&twin_lock);
	return err;
}
