/* SPDX-License-Identifier: GPL-2.0 */
/* What is true of the machine for every kernel that runs on it, handed on from parent to instance. */
#ifndef TWIN_MACHINE_H
#define TWIN_MACHINE_H

#include "twin.h"
#include "include/abi/control.h"


/**
 * struct twin_machine - constant after twin_machine_init(), but for @ranges, under twin_lock: preserved memory is cut out
 * @twin_booted: this kernel was launched beside another, not booted by firmware
 * @generation: 0 for a firmware-booted kernel, the parent's plus one otherwise
 * @tsc_khz: rate of the time stamp counter
 * @boot_apic_id: the machine's boot processor
 * @ecam_base: PCI Express configuration space of segment 0, bus 0; 0: none known
 * @ecam_bus_first: first bus that @ecam_base covers
 * @ecam_bus_last: last bus that it covers
 * @low_start: this kernel's own memory below 1 MiB, 0 when booted by firmware
 * @low_size: its size
 * @slot_start: the slot this kernel was booted in, 0 when booted by firmware
 * @slot_bytes: its size
 * @ipi_shorthand: this kernel may send broadcast IPIs
 * @range_count: entries in @ranges
 * @ranges: the machine's memory, sorted, flags zero, including what lies below 1 MiB
 * @ioapic_count: entries in @ioapics; 0: no legacy interrupts
 * @ioapics: the machine's IOAPICs
 * @isa: by ISA interrupt, where it arrives
 */
struct twin_machine {
	bool twin_booted;
	u64 generation;
	u32 tsc_khz;
	u32 boot_apic_id;
	u64 ecam_base;
	u32 ecam_bus_first;
	u32 ecam_bus_last;
	u64 low_start;
	u64 low_size;
	u64 slot_start;
	u64 slot_bytes;
	bool ipi_shorthand;
	u32 range_count;
	struct twinkernel_range ranges[TWINKERNEL_MAX_RANGES];
	u32 ioapic_count;
	struct twin_ioapic ioapics[TWIN_MAX_IOAPICS];
	struct twin_line isa[TWIN_ISA_LINES];
};

extern struct twin_machine twin_machine;

int twin_machine_init(const struct twin_control *control);
bool twin_machine_has(u64 start, u64 bytes);
int twin_machine_cut_out(u64 start, u64 bytes);
int twin_machine_query(struct twinkernel_query *query);

#endif
