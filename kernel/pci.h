/* SPDX-License-Identifier: GPL-2.0 */
/* PCI functions by their PCI Express configuration space (ECAM), past the kernel's PCI core. */
#ifndef TWIN_PCI_H
#define TWIN_PCI_H

#include "twin.h"
#include <linux/io.h>

/**
 * struct twin_pci_function - a function whose configuration space is mapped
 * @bus: its bus
 * @devfn: device and function
 * @config: 4 KiB of configuration space
 */
struct twin_pci_function {
	u32 bus;
	u32 devfn;
	void __iomem *config;
};

int twin_pci_open(struct twin_pci_function *function, const struct twinkernel_function *where);
void twin_pci_close(struct twin_pci_function *function);
void twin_pci_quiesce(const struct twin_pci_function *function);

/** struct twin_pci_set - the functions that move together; @count of them are open */
struct twin_pci_set {
	struct twin_pci_function functions[TWINKERNEL_PARK_MAX_FUNCTIONS];
	u32 count;
};

int twin_pci_open_set(struct twin_pci_set *set, const struct twinkernel_function *where, u32 count);
void twin_pci_close_set(struct twin_pci_set *set);
void twin_pci_quiesce_set(const struct twin_pci_set *set);

#endif
