// SPDX-License-Identifier: GPL-2.0
/* The MADT of a firmware-booted kernel (ACPI 6.3, 5.2.12): IOAPICs, and where ISA interrupts arrive. */
#include "twin.h"
#include <linux/acpi.h>
#include "machine.h"
#include "madt.h"

static int note_ioapic(struct twin_machine *machine, const struct acpi_madt_io_apic *entry)
{
	if (machine->ioapic_count == TWIN_MAX_IOAPICS)
		return -E2BIG;
	machine->ioapics[machine->ioapic_count++] = (struct twin_ioapic){
		.address = entry->address, .gsi_first = entry->global_irq_base,
	};
	return 0;
}

static void note_override(struct twin_machine *machine, const struct acpi_madt_interrupt_override *entry)
{
	u32 flags = 0;

	if (entry->bus || entry->source_irq >= TWIN_ISA_LINES)
		return;
	if ((entry->inti_flags & ACPI_MADT_TRIGGER_MASK) == ACPI_MADT_TRIGGER_LEVEL)
		flags |= TWIN_LINE_LEVEL;
	if ((entry->inti_flags & ACPI_MADT_POLARITY_MASK) == ACPI_MADT_POLARITY_ACTIVE_LOW)
		flags |= TWIN_LINE_ACTIVE_LOW;
	machine->isa[entry->source_irq] = (struct twin_line){ .gsi = entry->global_irq, .flags = flags };
}

/**
 * twin_madt_read() - fill in the interrupt lines of a machine; without a MADT there are none
 * @machine: its ioapics and isa are written
 *
 * Return: 0, -E2BIG when there are more IOAPICs than TWIN_MAX_IOAPICS.
 */
int twin_madt_read(struct twin_machine *machine)
{
	struct acpi_table_header *header;
	const u8 *at, *end;
	int err = 0;

	for (u32 line = 0; line < TWIN_ISA_LINES; line++)
		machine->isa[line] = (struct twin_line){ .gsi = line };	/* edge, active high */
	if (ACPI_FAILURE(acpi_get_table(ACPI_SIG_MADT, 1, &header)))
		return 0;
	at = (const u8 *)header + sizeof(struct acpi_table_madt);
	end = (const u8 *)header + header->length;
	while (!err && at + sizeof(struct acpi_subtable_header) <= end) {
		const struct acpi_subtable_header *entry = (const void *)at;

		if (entry->length < sizeof(*entry) || at + entry->length > end)
			break;
		if (entry->type == ACPI_MADT_TYPE_IO_APIC && entry->length >= sizeof(struct acpi_madt_io_apic))
			err = note_ioapic(machine, (const void *)at);
		if (entry->type == ACPI_MADT_TYPE_INTERRUPT_OVERRIDE &&
		    entry->length >= sizeof(struct acpi_madt_interrupt_override))
			note_override(machine, (const void *)at);
		at += entry->length;
	}
	acpi_put_table(header);
	return err;
}
