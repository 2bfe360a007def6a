// SPDX-License-Identifier: GPL-2.0
/*
 * What instances are given while this kernel runs: functions and memory; processors are with instance.c.
 * A function that was given is held by a driver of this module that does nothing: so no other driver binds to it, the
 * bridges above it stay awake, and people see where it is. It comes back when the instance has
 * released it, or when the instance ends: cut off from memory, reset where it knows how, and offered to the drivers here.
 */
#include "twin.h"
#include <linux/pci.h>
#include "include/abi/control.h"
#include "control.h"
#include "given.h"
#include "instance.h"
#include "slot.h"
#include "trace.h"

static struct pci_dev *wanted;	/* the one that the holder shall bind to; changes under twin_lock */

static int hold(struct pci_dev *dev, const struct pci_device_id *id)
{
	int err;

	if (dev != READ_ONCE(wanted))
		return -ENODEV;
	err = pci_enable_device(dev);
	if (!err)
		pci_clear_master(dev);
	return err;
}

static void let_go(struct pci_dev *dev)
{
	pci_disable_device(dev);
}

static const struct pci_device_id any_function[] = { { PCI_DEVICE(PCI_ANY_ID, PCI_ANY_ID) }, {} };

static struct pci_driver holder = {
	.name = "twinkernel",
	.id_table = any_function,
	.probe = hold,
	.remove = let_go,
	.driver.suppress_bind_attrs = true,
};

static bool held(const struct pci_dev *dev)
{
	return READ_ONCE(dev->dev.driver) == &holder.driver;
}

static int hold_function(struct pci_dev *dev)
{
	int err;

	lockdep_assert_held(&twin_lock);
	WRITE_ONCE(wanted, dev);
	err = driver_attach(&holder.driver);
	WRITE_ONCE(wanted, NULL);
	return err ? : held(dev) ? 0 : -EBUSY;
}

static int may_give(const struct pci_dev *dev)
{
	if (dev->hdr_type != PCI_HEADER_TYPE_NORMAL || dev->class >> 16 == PCI_BASE_CLASS_BRIDGE)
		return -EOPNOTSUPP;
	return held(dev) ? -EEXIST : 0;
}

static struct twin_given_function *find(struct twin_instance *instance, u32 word)
{
	for (u32 i = 0; i < ARRAY_SIZE(instance->functions); i++)
		if (instance->functions[i].word == word)
			return &instance->functions[i];
	return NULL;
}

static int give(struct twin_instance *instance, struct pci_dev *dev, const struct twinkernel_function *where)
{
	struct twin_given_function *entry = find(instance, 0);
	int err = may_give(dev);

	if (err)
		return err;
	if (!entry)
		return -ENOSPC;
	err = twin_pci_open(&entry->config, where);
	if (err)
		return err;
	err = hold_function(dev);
	if (err) {
		twin_pci_close(&entry->config);
		return err;
	}
	twin_pci_quiesce(&entry->config);
	entry->dev = pci_dev_get(dev);
	WRITE_ONCE(entry->word, TWIN_CONTROL_FUNCTION | where->bus << 8 | where->devfn);
	twin_control_give_function(instance->control, entry - instance->functions, entry->word);
	return 0;
}

/* TWINKERNEL_IOC_GIVE_FUNCTION */
int twin_given_function(struct twinkernel_give_function *request)
{
	const struct twinkernel_function *where = &request->function;
	struct twin_instance *instance;
	struct pci_dev *dev = NULL;
	int err = -ENOENT;

	mutex_lock(&twin_lock);
	instance = twin_instance_find(request->instance);
	if (!instance)
		goto out;
	err = -ENODEV;
	if (where->bus <= 255 && where->devfn <= 255)
		dev = pci_get_domain_bus_and_slot(0, where->bus, where->devfn);
	if (!dev)
		goto out;
	err = give(instance, dev, where);
	if (!err) {
		trace_give_function(instance->id, where->bus, where->devfn);
		twin_instance_changed(instance);
	}
	pci_dev_put(dev);
out:
	mutex_unlock(&twin_lock);
	return err;
}

/* Whoever had it last may not have been able to say goodbye: no stale message interrupt, no line held down. */
static void silence(const struct twin_given_function *entry)
{
	struct pci_dev *dev = entry->dev;
	u16 control;

	if (dev->msix_cap) {
		pci_read_config_word(dev, dev->msix_cap + PCI_MSIX_FLAGS, &control);
		pci_write_config_word(dev, dev->msix_cap + PCI_MSIX_FLAGS, control & ~PCI_MSIX_FLAGS_ENABLE);
	}
	if (dev->msi_cap) {
		pci_read_config_word(dev, dev->msi_cap + PCI_MSI_FLAGS, &control);
		pci_write_config_word(dev, dev->msi_cap + PCI_MSI_FLAGS, control & ~PCI_MSI_FLAGS_ENABLE);
	}
	pci_intx(dev, false);
	if (pci_try_reset_function(dev))
		pci_dbg(dev, "knows no reset: its driver's will do\n");
}

static void take(struct twin_instance *instance, struct twin_given_function *entry, bool was_used)
{
	struct pci_dev *dev = entry->dev;

	twin_pci_quiesce(&entry->config);
	if (was_used && pci_device_is_present(dev))
		silence(entry);
	trace_take_function(instance->id, entry->config.bus, entry->config.devfn);
	WRITE_ONCE(entry->word, 0);
	twin_pci_close(&entry->config);
	entry->dev = NULL;
	device_release_driver(&dev->dev);
	/* It may have been unplugged meanwhile. */
	if (device_is_registered(&dev->dev) && device_attach(&dev->dev) < 0)
		pci_warn(dev, "back, but its driver failed\n");
	pci_dev_put(dev);
}

/* TWINKERNEL_IOC_TAKE_FUNCTION */
int twin_given_take_function(struct twinkernel_give_function *request)
{
	const struct twinkernel_function *where = &request->function;
	struct twin_given_function *entry = NULL;
	struct twin_instance *instance;
	int err = -ENOENT;

	mutex_lock(&twin_lock);
	instance = twin_instance_find(request->instance);
	if (instance && where->bus <= 255 && where->devfn <= 255)
		entry = find(instance, TWIN_CONTROL_FUNCTION | where->bus << 8 | where->devfn);
	if (!entry)
		goto out;
	err = -EBUSY;
	if (!twin_control_take_function(instance->control, entry - instance->functions, entry->word))
		goto out;
	take(instance, entry, false);
	twin_instance_changed(instance);
	err = 0;
out:
	mutex_unlock(&twin_lock);
	return err;
}

/** twin_given_any_of() - is one of these functions an instance's already? Then it is no longer this kernel's to move */
bool twin_given_any_of(const struct twinkernel_function *where, u32 count)
{
	bool given = false;

	for (u32 i = 0; i < count && !given; i++) {
		struct pci_dev *dev = pci_get_domain_bus_and_slot(0, where[i].bus, where[i].devfn);

		given = dev && held(dev);
		pci_dev_put(dev);
	}
	return given;
}

/** twin_given_quiesce() - no more DMA from what an instance was given; its processors are still; any context */
void twin_given_quiesce(const struct twin_instance *instance)
{
	for (u32 i = 0; i < ARRAY_SIZE(instance->functions); i++)
		if (instance->functions[i].word)
			twin_pci_quiesce(&instance->functions[i].config);
}

static u64 memory_start(u64 word)
{
	return word & GENMASK_ULL(63, TWIN_CONTROL_MEMORY_SHIFT);
}

static u64 memory_bytes(u64 word)
{
	return (word & GENMASK_ULL(TWIN_CONTROL_MEMORY_SHIFT - 1, 0)) << TWIN_CONTROL_MEMORY_SHIFT;
}

/** twin_given_overlaps() - was any of a span given to this instance? The caller keeps the instance alive */
bool twin_given_overlaps(const struct twin_instance *instance, u64 start, u64 bytes)
{
	for (u32 i = 0; i < ARRAY_SIZE(instance->memory); i++) {
		u64 word = READ_ONCE(instance->memory[i]);

		if (word && start < memory_start(word) + memory_bytes(word) && memory_start(word) < start + bytes)
			return true;
	}
	return false;
}

/** twin_given_memory_bytes() - how much memory beside its slot an instance was given; the caller keeps it alive */
u64 twin_given_memory_bytes(const struct twin_instance *instance)
{
	u64 total = 0;

	for (u32 i = 0; i < ARRAY_SIZE(instance->memory); i++)
		total += memory_bytes(READ_ONCE(instance->memory[i]));
	return total;
}

static u64 *find_memory(struct twin_instance *instance, u64 word)
{
	for (u32 i = 0; i < ARRAY_SIZE(instance->memory); i++)
		if (instance->memory[i] == word)
			return &instance->memory[i];
	return NULL;
}

/* TWINKERNEL_IOC_GIVE_MEMORY */
int twin_given_memory(struct twinkernel_give_memory *request)
{
	u64 word = TWIN_CONTROL_MEMORY(request->start, request->bytes), *entry;
	struct twin_instance *instance;
	int err = -ENOENT;

	mutex_lock(&twin_lock);
	instance = twin_instance_find(request->instance);
	if (!instance)
		goto out;
	twin_slot_freeze();
	err = twin_slot_free(request->start, request->bytes);
	if (err)
		goto out_thaw;
	err = -ENOSPC;
	entry = find_memory(instance, 0);
	if (!entry)
		goto out_thaw;
	WRITE_ONCE(*entry, word);
	twin_control_give_memory(instance->control, entry - instance->memory, word);
	trace_give_memory(instance->id, request->start, request->bytes);
	twin_instance_changed(instance);
	err = 0;
out_thaw:
	twin_slot_thaw();
out:
	mutex_unlock(&twin_lock);
	return err;
}

/* TWINKERNEL_IOC_TAKE_MEMORY */
int twin_given_take_memory(struct twinkernel_give_memory *request)
{
	u64 word = TWIN_CONTROL_MEMORY(request->start, request->bytes), *entry = NULL;
	struct twin_instance *instance;
	int err = -ENOENT;

	mutex_lock(&twin_lock);
	instance = twin_instance_find(request->instance);
	/* Not what only looks alike: bits of an unaligned start may read as a length. */
	if (instance && memory_start(word) == request->start && memory_bytes(word) == request->bytes && request->bytes)
		entry = find_memory(instance, word);
	if (!entry)
		goto out;
	err = -EBUSY;
	if (!twin_control_take_memory(instance->control, entry - instance->memory, word))
		goto out;
	WRITE_ONCE(*entry, 0);
	trace_take_memory(instance->id, request->start, request->bytes);
	twin_instance_changed(instance);
	err = 0;
out:
	mutex_unlock(&twin_lock);
	return err;
}

/** twin_given_end() - the functions come back from an instance that is over; its memory does when it is forgotten */
void twin_given_end(struct twin_instance *instance)
{
	lockdep_assert_held(&twin_lock);
	for (u32 i = ARRAY_SIZE(instance->functions); i-- > 0;)
		if (instance->functions[i].word)
			take(instance, &instance->functions[i], true);
}

int twin_given_init(void)
{
	return pci_register_driver(&holder);
}

void twin_given_exit(void)
{
	pci_unregister_driver(&holder);
}
