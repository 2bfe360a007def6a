// SPDX-License-Identifier: GPL-2.0
/*
 * ECAM only: the I/O ports 0xcf8/0xcfc are a pair that two kernels would fight over, and it works with
 * interrupts off, whatever state this kernel's PCI core is in.
 */
#include "twin.h"
#include <linux/pci.h>
#include "machine.h"
#include "pci.h"

#define CONFIG_BYTES 4096

/**
 * twin_pci_open() - map the configuration space of a function of segment 0
 * @function: out
 * @where: which
 *
 * Return: 0, -EOPNOTSUPP no ECAM is known, -EINVAL no such bus or devfn, -ENODEV nothing there, -ENOMEM.
 */
int twin_pci_open(struct twin_pci_function *function, const struct twinkernel_function *where)
{
	const struct twin_machine *machine = &twin_machine;

	if (!machine->ecam_base)
		return -EOPNOTSUPP;
	if (where->devfn > 255 || where->bus < machine->ecam_bus_first || where->bus > machine->ecam_bus_last)
		return -EINVAL;
	function->bus = where->bus;
	function->devfn = where->devfn;
	function->config = ioremap(machine->ecam_base + ((u64)where->bus << 20) + (where->devfn << 12), CONFIG_BYTES);
	if (!function->config)
		return -ENOMEM;
	if (readl(function->config + PCI_VENDOR_ID) == ~0U) {
		twin_pci_close(function);
		return -ENODEV;
	}
	return 0;
}

void twin_pci_close(struct twin_pci_function *function)
{
	iounmap(function->config);
	function->config = NULL;
}

/** twin_pci_quiesce() - no more DMA and no more message interrupts from a function; any context */
void twin_pci_quiesce(const struct twin_pci_function *function)
{
	u16 command = readw(function->config + PCI_COMMAND);

	if (command != 0xffff)
		writew(command & ~PCI_COMMAND_MASTER, function->config + PCI_COMMAND);
	readw(function->config + PCI_COMMAND);	/* posted writes have arrived */
}

/**
 * twin_pci_open_set() - map the configuration spaces of several functions
 * @set: out; zeroed by the caller
 * @where: which
 * @count: at most TWINKERNEL_PARK_MAX_FUNCTIONS
 *
 * Return: 0, -EINVAL when one of them cannot be opened; those before it are, until twin_pci_close_set().
 */
int twin_pci_open_set(struct twin_pci_set *set, const struct twinkernel_function *where, u32 count)
{
	for (; set->count < count; set->count++)
		if (twin_pci_open(&set->functions[set->count], &where[set->count]))
			return -EINVAL;
	return 0;
}

void twin_pci_close_set(struct twin_pci_set *set)
{
	while (set->count)
		twin_pci_close(&set->functions[--set->count]);
}

/** twin_pci_quiesce_set() - twin_pci_quiesce() each; any context */
void twin_pci_quiesce_set(const struct twin_pci_set *set)
{
	for (u32 i = 0; i < set->count; i++)
		twin_pci_quiesce(&set->functions[i]);
}
