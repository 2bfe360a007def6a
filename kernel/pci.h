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

#endif
