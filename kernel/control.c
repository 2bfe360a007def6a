// SPDX-License-Identifier: GPL-2.0
/* The control block, see include/abi/control.h for who writes what. */
#include "twin.h"
#include <linux/timekeeping.h>
#include <asm/smp.h>
#include <asm/tsc.h>
#include "include/abi/control.h"
#include "control.h"
#include "machine.h"
#include "preserved.h"
#include "slot.h"
#include "window.h"

/** twin_control_write() - fill in a fresh control block for what @launch starts in @slot; the magic comes last */
void twin_control_write(struct twin_control *control, const struct twin_slot *slot, const struct twinkernel_launch *launch)
{
	const struct twin_machine *machine = &twin_machine;

	memset(control, 0, sizeof(*control));
	control->version = TWIN_CONTROL_VERSION;
	control->size = sizeof(*control);
	control->generation = machine->generation + 1;
	control->tsc_khz = machine->tsc_khz;
	control->boot_apic_id = machine->boot_apic_id;
	control->ecam_base = machine->ecam_base;
	control->ecam_bus_first = machine->ecam_bus_first;
	control->ecam_bus_last = machine->ecam_bus_last;
	control->low_start = slot->low_start;
	control->low_size = TWIN_WINDOW_BYTES;
	control->slot_start = slot->start;
	control->slot_bytes = slot->bytes;
	control->range_count = machine->range_count;
	memcpy(control->ranges, machine->ranges, machine->range_count * sizeof(control->ranges[0]));
	control->link_start = launch->link;
	control->link_bytes = launch->link_bytes;
	control->ioapic_count = machine->ioapic_count;
	memcpy(control->ioapics, machine->ioapics, machine->ioapic_count * sizeof(control->ioapics[0]));
	memcpy(control->isa, machine->isa, sizeof(control->isa));
	twin_preserved_hand_on(&control->preserved);
	control->parent_state = TWIN_PARENT_RUNNING;
	smp_wmb();	/* what has the magic is whole: twin_control_check() */
	WRITE_ONCE(control->magic, TWIN_CONTROL_MAGIC);
}

static u32 find_cpu(const struct twin_control *control, u32 apic_id, u32 entries)
{
	u32 i = 0;

	while (i < entries && READ_ONCE(control->cpus[i]) != apic_id)
		i++;
	return i;
}

/**
 * twin_control_give_cpu() - tell the instance of a processor
 * @control: its block
 * @apic_id: the processor
 * @entries: how many entries are in use, fewer than TWIN_CONTROL_MAX_CPUS or with one that was taken back among them
 *
 * Return: how many entries are in use then.
 */
u32 twin_control_give_cpu(struct twin_control *control, u32 apic_id, u32 entries)
{
	u32 index = find_cpu(control, TWIN_CONTROL_NO_CPU, entries);

	if (index >= TWIN_CONTROL_MAX_CPUS)
		return entries;	/* the instance has scribbled over what was taken back: it gets nothing more */
	WRITE_ONCE(control->cpus[index], apic_id);
	entries = max(entries, index + 1);
	smp_store_release(&control->cpu_count, entries);	/* after its id: twin_parent_use_cpu() */
	return entries;
}

/** twin_control_take_cpu() - withdraw it; -EBUSY the instance uses it, -ENOENT it is not there; then nothing has changed */
int twin_control_take_cpu(struct twin_control *control, u32 apic_id, u32 entries)
{
	u32 index = find_cpu(control, apic_id, entries);

	if (index == entries)
		return -ENOENT;
	WRITE_ONCE(control->cpus[index], TWIN_CONTROL_NO_CPU);
	smp_mb();	/* see include/abi/control.h */
	if (!READ_ONCE(control->cpus_used[index]))
		return 0;
	WRITE_ONCE(control->cpus[index], apic_id);
	return -EBUSY;
}

/** twin_control_give_function() - tell the instance of a function; @index below TWIN_CONTROL_MAX_FUNCTIONS, free */
void twin_control_give_function(struct twin_control *control, u32 index, u32 word)
{
	smp_store_release(&control->functions[index], word);	/* its configuration is as it shall be found */
}

/** twin_control_take_function() - withdraw it; false: the instance uses it, nothing has changed */
bool twin_control_take_function(struct twin_control *control, u32 index, u32 word)
{
	WRITE_ONCE(control->functions[index], 0);
	smp_mb();	/* see include/abi/control.h */
	if (!READ_ONCE(control->functions_used[index]))
		return true;
	WRITE_ONCE(control->functions[index], word);
	return false;
}

/** twin_control_give_memory() - tell the instance of a piece of memory; @index below TWIN_CONTROL_MAX_MEMORY, free */
void twin_control_give_memory(struct twin_control *control, u32 index, u64 word)
{
	smp_store_release(&control->memory[index], word);	/* it is as it shall be found */
}

/** twin_control_take_memory() - withdraw it; false: the instance uses it, nothing has changed */
bool twin_control_take_memory(struct twin_control *control, u32 index, u64 word)
{
	WRITE_ONCE(control->memory[index], 0);
	smp_mb();	/* see include/abi/control.h */
	if (!READ_ONCE(control->memory_used[index]))
		return true;
	WRITE_ONCE(control->memory[index], word);
	return false;
}

/** twin_control_publish_parked() - this kernel's last processor stands still from here on, with its wall clock; any context */
void twin_control_publish_parked(struct twin_control *control)
{
	control->parked_apic_id = per_cpu(x86_cpu_to_apicid, smp_processor_id());
	control->parked_realtime_ns = ktime_get_real_fast_ns();
	control->parked_tsc = rdtsc_ordered();
	smp_store_release(&control->parent_state, TWIN_PARENT_PARKED);	/* after the clock: twin_parent_parked() */
}

/** twin_control_constant() - is what the parent wrote before the launch still there? A sample, cheap enough to take often */
bool twin_control_constant(const struct twin_control *control)
{
	return READ_ONCE(control->magic) == TWIN_CONTROL_MAGIC && READ_ONCE(control->version) == TWIN_CONTROL_VERSION &&
	       READ_ONCE(control->size) == sizeof(*control);
}

/**
 * twin_control_check() - is this a control block for this kernel?
 * @control: mapped
 * @address: its physical address
 *
 * Return: 0, -EPROTO when it is none, or of another version or build, or not in its own slot.
 */
int twin_control_check(const struct twin_control *control, u64 address)
{
	u64 start = READ_ONCE(control->slot_start), bytes = READ_ONCE(control->slot_bytes);

	if (READ_ONCE(control->magic) != TWIN_CONTROL_MAGIC)
		return -EPROTO;
	smp_rmb();	/* what has the magic is whole: twin_control_write() */
	if (READ_ONCE(control->version) != TWIN_CONTROL_VERSION || READ_ONCE(control->size) != sizeof(*control))
		return -EPROTO;
	if (address < start || bytes < TWINKERNEL_CONTROL_BYTES || address - start > bytes - TWINKERNEL_CONTROL_BYTES)
		return -EPROTO;
	return 0;
}
