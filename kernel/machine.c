// SPDX-License-Identifier: GPL-2.0
/*
 * The machine: memory as the firmware described it, the boot processor, the TSC rate, the PCI Express
 * configuration space. A firmware-booted kernel finds out; a twin-booted one is told by its parent
 * through the control block and believes nothing that does not add up.
 */
#include "twin.h"
#include <linux/acpi.h>
#include <linux/cpu.h>
#include <linux/fs.h>
#include <linux/memory.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/apic.h>
#include <asm/tsc.h>
#include "control.h"
#include "cpu.h"
#include "instance.h"
#include "machine.h"
#include "madt.h"
#include "memmap.h"
#include "parent.h"
#include "slot.h"

#define COMMAND_LINE_ROOM 8192

struct twin_machine twin_machine;

/* no_ipi_broadcast=N, the last one wins as in the kernel itself. */
static bool no_ipi_broadcast(char *line)
{
	size_t prefix;
	char *word;
	int off = 0;

	while ((word = strsep(&line, " \t\n"))) {
		if (!strcmp(word, "--"))
			break;
		prefix = str_has_prefix(word, "no_ipi_broadcast=");
		if (!prefix)
			continue;
		word += prefix;
		get_option(&word, &off);
	}
	return off;
}

/*
 * Whether shorthand is in use is a static key that modules cannot see, and it comes and goes: the kernel
 * switches it off while a present CPU was never booted or only one is online, and on again afterwards. So
 * only the parameter that forbids it for good counts. The command line is not exported either; what
 * cannot be read counts as "may broadcast".
 */
static bool may_broadcast(void)
{
	bool may = true;
	struct file *file;
	loff_t at = 0;
	ssize_t length;
	char *line;

	line = kzalloc(COMMAND_LINE_ROOM, GFP_KERNEL);
	if (!line)
		return true;
	file = filp_open("/proc/cmdline", O_RDONLY, 0);
	if (IS_ERR(file))
		goto out_free;
	length = kernel_read(file, line, COMMAND_LINE_ROOM - 1, &at);
	if (length > 0)
		may = !no_ipi_broadcast(line);
	filp_close(file, NULL);
out_free:
	kfree(line);
	return may;
}

static void find_ecam(struct twin_machine *machine)
{
	struct acpi_table_header *header;
	struct acpi_table_mcfg *mcfg;
	unsigned int count;

	if (ACPI_FAILURE(acpi_get_table(ACPI_SIG_MCFG, 1, &header)))
		return;
	mcfg = (struct acpi_table_mcfg *)header;
	count = (header->length - sizeof(*mcfg)) / sizeof(struct acpi_mcfg_allocation);
	for (unsigned int i = 0; header->length > sizeof(*mcfg) && i < count; i++) {
		struct acpi_mcfg_allocation *entry = (struct acpi_mcfg_allocation *)(mcfg + 1) + i;

		if (entry->pci_segment || !entry->address || entry->end_bus_number < entry->start_bus_number)
			continue;
		machine->ecam_base = entry->address;
		machine->ecam_bus_first = entry->start_bus_number;
		machine->ecam_bus_last = entry->end_bus_number;
		break;
	}
	acpi_put_table(header);
}

static int ranges_valid(const struct twinkernel_range *ranges, u32 count)
{
	u64 end = 0;

	for (u32 i = 0; i < count; i++) {
		if (!PAGE_ALIGNED(ranges[i].start) || !PAGE_ALIGNED(ranges[i].size) || !ranges[i].size)
			return -EPROTO;
		if (ranges[i].start < end || ranges[i].start + ranges[i].size < ranges[i].start)
			return -EPROTO;
		end = ranges[i].start + ranges[i].size;
	}
	return count ? 0 : -EPROTO;
}

static int inherit_lines(struct twin_machine *machine, const struct twin_control *control)
{
	u32 count = READ_ONCE(control->ioapic_count);

	if (count > TWIN_MAX_IOAPICS)
		return -EPROTO;
	machine->ioapic_count = count;
	memcpy(machine->ioapics, control->ioapics, count * sizeof(machine->ioapics[0]));
	memcpy(machine->isa, control->isa, sizeof(machine->isa));
	for (u32 i = 0; i < count; i++)
		if (!machine->ioapics[i].address || twin_machine_has(ALIGN_DOWN(machine->ioapics[i].address, PAGE_SIZE), PAGE_SIZE))
			return -EPROTO;
	return 0;
}

static int inherit(struct twin_machine *machine, const struct twin_control *control)
{
	u32 count = READ_ONCE(control->range_count);

	if (count > TWINKERNEL_MAX_RANGES)
		return -EPROTO;
	machine->twin_booted = true;
	machine->generation = READ_ONCE(control->generation);
	machine->boot_apic_id = READ_ONCE(control->boot_apic_id);
	machine->low_start = READ_ONCE(control->low_start);
	machine->low_size = READ_ONCE(control->low_size);
	machine->slot_start = READ_ONCE(control->slot_start);
	machine->slot_bytes = READ_ONCE(control->slot_bytes);
	machine->range_count = count;
	memcpy(machine->ranges, control->ranges, count * sizeof(machine->ranges[0]));
	for (u32 i = 0; i < count; i++)
		machine->ranges[i].flags = 0;
	if (!machine->ecam_base) {
		machine->ecam_base = READ_ONCE(control->ecam_base);
		machine->ecam_bus_first = READ_ONCE(control->ecam_bus_first);
		machine->ecam_bus_last = READ_ONCE(control->ecam_bus_last);
		if (machine->ecam_bus_first > machine->ecam_bus_last || machine->ecam_bus_last > 255)
			return -EPROTO;
	}
	if (ranges_valid(machine->ranges, count) || !twin_machine_has(machine->slot_start, machine->slot_bytes) ||
	    !twin_machine_has(machine->low_start, machine->low_size) || machine->low_start + machine->low_size > SZ_1M)
		return -EPROTO;
	return inherit_lines(machine, control);
}

/**
 * twin_machine_init() - fill in twin_machine
 * @control: the control block shared with the parent, or NULL in a firmware-booted kernel
 *
 * Return: 0, -EPROTO when the parent's description is inconsistent, -ENOMEM, -E2BIG when the memory of
 * the machine is in more pieces than TWINKERNEL_MAX_RANGES or it has more than TWIN_MAX_IOAPICS.
 */
int twin_machine_init(const struct twin_control *control)
{
	struct twin_machine *machine = &twin_machine;
	int count;

	machine->tsc_khz = tsc_khz;
	machine->ipi_shorthand = may_broadcast();
	find_ecam(machine);
	if (control)
		return inherit(machine, control);
	machine->boot_apic_id = boot_cpu_physical_apicid;
	count = twin_memmap_firmware(machine->ranges, TWINKERNEL_MAX_RANGES);
	if (count < 0)
		return count;
	machine->range_count = count;
	return twin_madt_read(machine);
}

/**
 * twin_machine_has() - is a span memory of the machine?
 * @start: physical address
 * @bytes: length, 0 is never memory
 */
bool twin_machine_has(u64 start, u64 bytes)
{
	u64 end = start + bytes;

	if (!bytes || end < start)
		return false;
	for (u32 i = 0; i < twin_machine.range_count && start < end; i++) {
		const struct twinkernel_range *range = &twin_machine.ranges[i];

		if (start >= range->start && start < range->start + range->size)
			start = range->start + range->size;
	}
	return start >= end;
}

static u32 put_range(struct twinkernel_range *to, u32 count, const struct twinkernel_range *range, u64 start, u64 end)
{
	if (start >= end)
		return count;
	if (count < TWINKERNEL_MAX_RANGES)
		to[count] = (struct twinkernel_range){ .start = start, .size = end - start, .node = range->node };
	return count + 1;
}

/** twin_machine_cut_out() - a span is no memory of the machine any more; -ENOSPC: what is left would be in too many pieces */
int twin_machine_cut_out(u64 start, u64 bytes)
{
	struct twinkernel_range *left;
	u32 count = 0;

	lockdep_assert_held(&twin_lock);
	left = kcalloc(TWINKERNEL_MAX_RANGES, sizeof(*left), GFP_KERNEL);
	if (!left)
		return -ENOMEM;
	for (u32 i = 0; i < twin_machine.range_count; i++) {
		const struct twinkernel_range *range = &twin_machine.ranges[i];
		u64 end = range->start + range->size;

		count = put_range(left, count, range, range->start, min(end, start));
		count = put_range(left, count, range, max(range->start, start + bytes), end);
	}
	if (count <= TWINKERNEL_MAX_RANGES) {
		memcpy(twin_machine.ranges, left, count * sizeof(*left));
		twin_machine.range_count = count;
	}
	kfree(left);
	return count <= TWINKERNEL_MAX_RANGES ? 0 : -ENOSPC;
}

static u32 query_flags(void)
{
	u32 flags = twin_parent_query_flags();

	if (twin_machine.twin_booted)
		flags |= TWINKERNEL_QUERY_TWIN_BOOTED;
	if (twin_machine.ipi_shorthand)
		flags |= TWINKERNEL_QUERY_IPI_SHORTHAND;
	return flags;
}

/* TWINKERNEL_IOC_QUERY */
int twin_machine_query(struct twinkernel_query *query)
{
	u32 cpu_room = min_t(u32, query->cpu_capacity, nr_cpu_ids);
	u32 range_room = min_t(u32, query->range_capacity, 1024);
	struct twinkernel_range *ranges = NULL;
	struct twinkernel_cpu *cpus = NULL;
	int err = -ENOMEM;

	cpus = kvcalloc(cpu_room + 1, sizeof(*cpus), GFP_KERNEL);
	ranges = kvcalloc(range_room + 1, sizeof(*ranges), GFP_KERNEL);
	if (!cpus || !ranges)
		goto out;

	mutex_lock(&twin_lock);
	query->abi_version = TWINKERNEL_ABI_VERSION;
	query->flags = query_flags();
	query->tsc_khz = twin_machine.tsc_khz;
	query->memory_block_bytes = memory_block_size_bytes();
	query->ecam_base = twin_machine.ecam_base;
	query->ecam_bus_first = twin_machine.ecam_bus_first;
	query->ecam_bus_last = twin_machine.ecam_bus_last;
	query->low_start = twin_machine.low_start;
	query->low_size = twin_machine.low_size;
	query->control = twin_parent_control_address();
	query->parent_beat = twin_parent_beat();
	query->cpu_count = twin_cpu_list(cpus, cpu_room);
	err = twin_memmap_list(ranges, range_room);
	mutex_unlock(&twin_lock);
	if (err < 0)
		goto out;
	query->range_count = err;

	err = 0;
	if (query->cpus && copy_to_user(u64_to_user_ptr(query->cpus), cpus,
					min(cpu_room, query->cpu_count) * sizeof(*cpus)))
		err = -EFAULT;
	if (query->ranges && copy_to_user(u64_to_user_ptr(query->ranges), ranges,
					  min(range_room, query->range_count) * sizeof(*ranges)))
		err = -EFAULT;
out:
	kvfree(ranges);
	kvfree(cpus);
	return err;
}
