// SPDX-License-Identifier: GPL-2.0
/*
 * Taking over PCI functions. A twin-booted kernel runs with pci=off; this is its PCI host bridge. It shows
 * only functions that were adopted, so that no scan disturbs what the parent still drives. The root bus is
 * made when the module is loaded: inside the gap only the one function is read, claimed and bound.
 */
#include "twin.h"
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <asm/pci.h>
#include "include/abi/control.h"
#include "function.h"
#include "machine.h"
#include "parent.h"
#include "pci.h"
#include "trace.h"

#define FUNCTIONS_MAX 64

/*
 * Readers are lockless. An entry is free while its bus is NO_BUS; it is filled in under twin_lock, and freed under the
 * rescan lock of the PCI core as well, when no device that would read it is left.
 */
#define NO_BUS ~0U
static struct twin_pci_function functions[FUNCTIONS_MAX] = { [0 ... FUNCTIONS_MAX - 1] = { .bus = NO_BUS } };

static struct twin_pci_function *find(u32 bus, u32 devfn)
{
	for (unsigned int i = 0; i < FUNCTIONS_MAX; i++)
		/* With the rest of the entry: adopt_function() */
		if (smp_load_acquire(&functions[i].bus) == bus && (bus == NO_BUS || functions[i].devfn == devfn))
			return &functions[i];
	return NULL;
}

static int config_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	const struct twin_pci_function *function = find(bus->number, devfn);

	*value = ~0;
	if (!function || where < 0 || where + size > 4096)
		return PCIBIOS_DEVICE_NOT_FOUND;
	switch (size) {
	case 1:
		*value = readb(function->config + where);
		break;
	case 2:
		*value = readw(function->config + where);
		break;
	default:
		*value = readl(function->config + where);
	}
	return PCIBIOS_SUCCESSFUL;
}

static int config_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
	const struct twin_pci_function *function = find(bus->number, devfn);

	if (!function || where < 0 || where + size > 4096)
		return PCIBIOS_DEVICE_NOT_FOUND;
	switch (size) {
	case 1:
		writeb(value, function->config + where);
		break;
	case 2:
		writew(value, function->config + where);
		break;
	default:
		writel(value, function->config + where);
	}
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops config_ops = { .read = config_read, .write = config_write };

struct root {
	struct pci_sysdata sysdata;
	struct resource numbers;
	struct pci_bus *bus;
};

static struct root *roots[256];	/* under twin_lock */

/* A root bus for each bus number in use: the bridges above a function stay the machine's. */
static struct pci_bus *root_bus(unsigned int number)
{
	struct root *root = roots[number];
	LIST_HEAD(windows);

	if (root)
		return root->bus;
	root = kzalloc(sizeof(*root), GFP_KERNEL);
	if (!root)
		return NULL;
	root->sysdata.node = NUMA_NO_NODE;
	root->numbers = (struct resource){ .name = "twinkernel", .start = number, .end = number,
					   .flags = IORESOURCE_BUS };
	pci_add_resource(&windows, &ioport_resource);
	pci_add_resource(&windows, &iomem_resource);
	pci_add_resource(&windows, &root->numbers);
	pci_lock_rescan_remove();
	root->bus = pci_create_root_bus(NULL, number, &config_ops, &root->sysdata, &windows);
	pci_unlock_rescan_remove();
	if (!root->bus) {
		pci_free_resource_list(&windows);
		kfree(root);
		return NULL;
	}
	roots[number] = root;
	return root->bus;
}

/** twin_function_init() - make the root bus in advance; -ENODEV when the PCI core refuses */
int twin_function_init(void)
{
	struct pci_bus *bus;

	if (!twin_machine.twin_booted || !twin_machine.ecam_base)
		return 0;
	mutex_lock(&twin_lock);
	bus = root_bus(twin_machine.ecam_bus_first);
	mutex_unlock(&twin_lock);
	return bus ? 0 : -ENODEV;
}

/* The parent's addresses stay: whatever else the machine decodes was laid out around them. */
static void claim(struct pci_dev *dev)
{
	for (int i = 0; i < PCI_STD_NUM_BARS; i++) {
		struct resource *res = &dev->resource[i];

		if (res->flags && !(res->flags & IORESOURCE_UNSET) && !res->parent && pci_claim_resource(dev, i))
			pci_warn(dev, "BAR %d is not free here\n", i);
	}
}

static int bind(unsigned int number, unsigned int devfn)
{
	struct pci_bus *bus = root_bus(number);
	ktime_t start = ktime_get(), scanned, bound;
	struct pci_dev *dev;

	if (!bus)
		return -ENOMEM;
	pci_lock_rescan_remove();
	dev = pci_scan_single_device(bus, devfn);
	if (dev) {
		claim(dev);
		scanned = ktime_get();
		pci_bus_add_device(dev);
		bound = ktime_get();
		trace_adopt_function(number, devfn, ktime_to_ns(ktime_sub(scanned, start)),
				     ktime_to_ns(ktime_sub(bound, scanned)));
		pci_info(dev, "adopted: scan %lld us, bind %lld us\n", ktime_us_delta(scanned, start),
			 ktime_us_delta(bound, scanned));
	}
	pci_unlock_rescan_remove();
	return dev ? 0 : -ENODEV;
}

static int adopt_function(const struct twinkernel_function *where)
{
	struct twin_pci_function *entry = find(NO_BUS, 0), opened;
	int err;

	if (!entry)
		return -ENOSPC;
	err = twin_pci_open(&opened, where);
	if (err)
		return err;
	entry->devfn = opened.devfn;
	entry->config = opened.config;
	smp_store_release(&entry->bus, opened.bus);	/* after the rest: find() */
	err = bind(where->bus, where->devfn);
	if (err) {
		WRITE_ONCE(entry->bus, NO_BUS);
		twin_pci_close(entry);
	}
	return err;
}

/* TWINKERNEL_IOC_ADOPT_FUNCTION */
int twin_function_adopt(struct twinkernel_adopt_function *adopt)
{
	const struct twinkernel_function *where = &adopt->function;
	bool given;
	int err;

	if (adopt->reserved)
		return -EINVAL;
	mutex_lock(&twin_lock);
	err = -ENOENT;
	if (!twin_machine.twin_booted)
		goto out;
	err = -EEXIST;
	if (where->bus <= 255 && find(where->bus, where->devfn))
		goto out;
	err = -EAGAIN;
	given = twin_parent_use_function(where->bus, where->devfn, true);
	if (!twin_parent_committed() && !twin_parent_parked() && !given)
		goto out;
	err = adopt_function(where);
	if (err && given)
		twin_parent_use_function(where->bus, where->devfn, false);
	if (!err && twin_parent_parked())
		twin_parent_publish(TWINKERNEL_SERVING);
out:
	mutex_unlock(&twin_lock);
	return err;
}

static void drop(struct twin_pci_function *entry)
{
	struct pci_dev *dev = pci_get_domain_bus_and_slot(0, entry->bus, entry->devfn);

	pci_lock_rescan_remove();
	if (dev)
		pci_stop_and_remove_bus_device(dev);
	pci_dev_put(dev);
	twin_pci_quiesce(entry);
	WRITE_ONCE(entry->bus, NO_BUS);
	twin_pci_close(entry);
	pci_unlock_rescan_remove();
}

/* TWINKERNEL_IOC_RELEASE_FUNCTION */
int twin_function_release(struct twinkernel_release_function *release)
{
	const struct twinkernel_function *where = &release->function;
	struct twin_pci_function *entry;
	int err = -ENOENT;

	if (release->reserved)
		return -EINVAL;
	mutex_lock(&twin_lock);
	entry = where->bus > 255 || where->devfn > 255 ? NULL : find(where->bus, where->devfn);
	/* Used, as it was since it was adopted: this only asks whether it was given. */
	if (entry && twin_parent_use_function(where->bus, where->devfn, true)) {
		drop(entry);
		twin_parent_use_function(where->bus, where->devfn, false);
		trace_release_function(0, where->bus, where->devfn);
		err = 0;
	}
	mutex_unlock(&twin_lock);
	return err;
}
