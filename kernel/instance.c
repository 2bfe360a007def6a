// SPDX-License-Identifier: GPL-2.0
/*
 * The life of an instance: created by a launch; LAUNCHED until its module writes into the control block;
 * forgotten by a stop, by the end of a park, or, together with this kernel, by the instance's commit.
 * Whatever way it ends, its processors are reset first and only then handed back to this kernel.
 */
#include "twin.h"
#include <linux/io.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "include/abi/control.h"
#include "control.h"
#include "cpu.h"
#include "failover.h"
#include "instance.h"
#include "link.h"
#include "machine.h"
#include "slot.h"
#include "sysfs.h"
#include "trace.h"
#include "window.h"

static LIST_HEAD(instances);		/* changes under twin_lock and beat_lock */
static DEFINE_SPINLOCK(beat_lock);	/* for the heartbeat timer */
static u32 last_id;

/**
 * twin_instance_create() - note an instance and write its control block
 * @slot: where it will live; no instance in it
 * @launch: checked by the caller
 *
 * Return: the instance or an ERR_PTR().
 */
struct twin_instance *twin_instance_create(struct twin_slot *slot, const struct twinkernel_launch *launch)
{
	struct twin_instance *instance;
	unsigned long flags;
	int err = -ENOMEM;

	lockdep_assert_held(&twin_lock);
	instance = kzalloc(sizeof(*instance), GFP_KERNEL);
	if (!instance)
		return ERR_PTR(-ENOMEM);
	instance->control = memremap(launch->control, TWINKERNEL_CONTROL_BYTES, MEMREMAP_WB);
	if (!instance->control)
		goto err_free;
	instance->id = ++last_id;
	err = launch->link ? twin_link_create(instance->id, launch->link, launch->link_bytes, &instance->cpus) : 0;
	if (err)
		goto err_unmap;
	twin_control_write(instance->control, slot, launch);
	instance->slot = slot;
	instance->seen_state = TWINKERNEL_LAUNCHED;
	instance->seen_at = ktime_get();
	strscpy_pad(instance->image_id, launch->image_id, sizeof(instance->image_id));
	slot->instance = instance->id;
	spin_lock_irqsave(&beat_lock, flags);
	list_add_tail(&instance->link, &instances);
	spin_unlock_irqrestore(&beat_lock, flags);
	instance->node = twin_sysfs_add_instance(instance->id);
	twin_sysfs_changed();
	return instance;

err_unmap:
	memunmap(instance->control);
err_free:
	kfree(instance);
	return ERR_PTR(err);
}

/** twin_instance_changed() - it was given something, or gave it back: let people see */
void twin_instance_changed(struct twin_instance *instance)
{
	lockdep_assert_held(&twin_lock);
	WRITE_ONCE(instance->changes, instance->changes + 1);
	twin_sysfs_changed();
}

/** twin_instance_give() - hand an offline processor over; -ENOENT, -EBUSY, -ENOSPC */
int twin_instance_give(struct twin_instance *instance, unsigned int cpu)
{
	u32 apic_id;
	int err;

	lockdep_assert_held(&twin_lock);
	if (cpumask_weight(&instance->cpus) >= TWIN_CONTROL_MAX_CPUS)
		return -ENOSPC;
	err = twin_cpu_apic_id(cpu, &apic_id);
	if (err)
		return err;
	err = twin_cpu_give(cpu);
	if (err)
		return err;
	cpumask_set_cpu(cpu, &instance->cpus);
	trace_give_cpu(instance->id, cpu, apic_id);
	instance->cpu_entries = twin_control_give_cpu(instance->control, apic_id, instance->cpu_entries);
	twin_instance_changed(instance);
	return 0;
}

/** twin_instance_reset() - INIT to all processors of an instance, then its functions lose bus mastering; any context */
void twin_instance_reset(struct twin_instance *instance)
{
	unsigned int cpu;
	u32 apic_id;

	for_each_cpu(cpu, &instance->cpus)
		if (!twin_cpu_apic_id(cpu, &apic_id))
			twin_cpu_stop(apic_id, instance->slot->low_start);
	twin_given_quiesce(instance);
}

/** twin_instance_forget() - drop an instance whose processors are still; what it was given is this kernel's again */
void twin_instance_forget(struct twin_instance *instance)
{
	unsigned long flags;
	unsigned int cpu;

	lockdep_assert_held(&twin_lock);
	twin_failover_disarm(instance);
	twin_link_remove(instance->id);
	spin_lock_irqsave(&beat_lock, flags);
	list_del(&instance->link);
	spin_unlock_irqrestore(&beat_lock, flags);
	twin_sysfs_remove(instance->node);
	twin_given_end(instance);
	for_each_cpu(cpu, &instance->cpus)
		twin_cpu_take_back(cpu);
	instance->slot->instance = 0;
	memunmap(instance->control);
	kfree(instance);
}

struct twin_instance *twin_instance_find(u32 id)
{
	struct twin_instance *instance;

	lockdep_assert_held(&twin_lock);
	list_for_each_entry(instance, &instances, link)
		if (instance->id == id)
			return instance;
	return NULL;
}

/** twin_instance_any() - does any run? */
bool twin_instance_any(void)
{
	lockdep_assert_held(&twin_lock);
	return !list_empty(&instances);
}

/** twin_instance_of_cpu() - id of the instance that was given a processor, 0: none */
u32 twin_instance_of_cpu(unsigned int cpu)
{
	struct twin_instance *instance;

	lockdep_assert_held(&twin_lock);
	list_for_each_entry(instance, &instances, link)
		if (cpumask_test_cpu(cpu, &instance->cpus))
			return instance->id;
	return 0;
}

/** twin_instance_has_memory() - was any of a span given to an instance? Without twin_lock, for the memory notifier */
bool twin_instance_has_memory(u64 start, u64 bytes)
{
	struct twin_instance *instance;
	unsigned long flags;
	bool has = false;

	spin_lock_irqsave(&beat_lock, flags);
	list_for_each_entry(instance, &instances, link)
		has |= twin_given_overlaps(instance, start, bytes);
	spin_unlock_irqrestore(&beat_lock, flags);
	return has;
}

/** twin_instance_state() - enum twinkernel_state; what the instance wrote counts only when it makes sense */
u32 twin_instance_state(const struct twin_instance *instance)
{
	u32 state = READ_ONCE(instance->control->child_state);

	return state >= TWINKERNEL_ALIVE && state <= TWINKERNEL_PANICKED ? state : TWINKERNEL_LAUNCHED;
}

/*
 * Silence is counted from the last sign of life: the state may become ALIVE a long time after the launch, and
 * be read before the first beat is seen.
 */
static void listen(struct twin_instance *instance, ktime_t now)
{
	u64 beat = READ_ONCE(instance->control->child_beat);
	u32 state = twin_instance_state(instance);

	lockdep_assert_held(&beat_lock);
	if (beat == instance->seen_beat && state == instance->seen_state)
		return;
	if (state != instance->seen_state)
		twin_sysfs_changed();
	instance->seen_beat = beat;
	instance->seen_state = state;
	instance->seen_at = now;
}

/** twin_instance_beat() - called by the heartbeat timer: beat for, and listen to, every instance */
void twin_instance_beat(ktime_t now)
{
	struct twin_instance *instance;
	unsigned long flags;

	spin_lock_irqsave(&beat_lock, flags);
	list_for_each_entry(instance, &instances, link) {
		WRITE_ONCE(instance->control->parent_beat, instance->control->parent_beat + 1);
		listen(instance, now);
	}
	spin_unlock_irqrestore(&beat_lock, flags);
}

/* TWINKERNEL_IOC_STOP */
int twin_instance_stop(struct twinkernel_stop *stop)
{
	struct twin_instance *instance;
	int err = -ENOENT;

	mutex_lock(&twin_lock);
	instance = twin_instance_find(stop->instance);
	if (instance) {
		trace_stop(instance->id, twin_instance_state(instance));
		twin_instance_reset(instance);
		twin_instance_forget(instance);
		err = 0;
	}
	mutex_unlock(&twin_lock);
	return err;
}

/* TWINKERNEL_IOC_GIVE_CPU */
int twin_instance_give_cpu(struct twinkernel_give_cpu *give)
{
	struct twin_instance *instance;
	int err;

	if (give->reserved)
		return -EINVAL;
	mutex_lock(&twin_lock);
	instance = twin_instance_find(give->instance);
	err = instance ? twin_instance_give(instance, give->cpu) : -ENOENT;
	mutex_unlock(&twin_lock);
	return err;
}

static int take_cpu(struct twin_instance *instance, unsigned int cpu)
{
	u32 state = twin_instance_state(instance), apic_id;
	int err;

	if (cpu >= nr_cpu_ids || !cpumask_test_cpu(cpu, &instance->cpus))
		return -ENOENT;
	if (state < TWINKERNEL_ALIVE)
		return -EAGAIN;
	err = state == TWINKERNEL_PANICKED ? -EBUSY : twin_cpu_apic_id(cpu, &apic_id);
	if (err)
		return err;
	if (apic_id == twin_machine.boot_apic_id)
		return -EOPNOTSUPP;
	err = twin_control_take_cpu(instance->control, apic_id, instance->cpu_entries);
	if (err)
		return err;
	/* It halts in the instance's code: not for longer than the instance's memory is there. */
	twin_cpu_stop(apic_id, instance->slot->low_start);
	cpumask_clear_cpu(cpu, &instance->cpus);
	twin_cpu_take_back(cpu);
	trace_take_cpu(instance->id, cpu, apic_id);
	twin_instance_changed(instance);
	return 0;
}

/* TWINKERNEL_IOC_TAKE_CPU */
int twin_instance_take_cpu(struct twinkernel_give_cpu *take)
{
	struct twin_instance *instance;
	int err;

	if (take->reserved)
		return -EINVAL;
	mutex_lock(&twin_lock);
	instance = twin_instance_find(take->instance);
	err = instance ? take_cpu(instance, take->cpu) : -ENOENT;
	mutex_unlock(&twin_lock);
	return err;
}

static void describe(struct twin_instance *instance, struct twinkernel_instance *out)
{
	ktime_t now = ktime_get();

	lockdep_assert_held(&beat_lock);
	listen(instance, now);
	out->instance = instance->id;
	out->slot = instance->slot->id;
	out->cpu_count = cpumask_weight(&instance->cpus);
	out->state = instance->seen_state;
	out->beat = instance->seen_beat;
	out->beat_age_ns = ktime_to_ns(ktime_sub(now, instance->seen_at));
	if (out->state == TWINKERNEL_LAUNCHED)
		return;
	memcpy(out->release, instance->control->child_release, sizeof(out->release));
	out->release[sizeof(out->release) - 1] = '\0';
}

/** twin_instance_look() - describe one instance, without twin_lock; false when there is none of this id (any more) */
bool twin_instance_look(u32 id, struct twin_instance_view *view)
{
	struct twin_instance *instance;
	unsigned long flags;
	bool found = false;

	memset(view, 0, sizeof(*view));
	spin_lock_irqsave(&beat_lock, flags);
	list_for_each_entry(instance, &instances, link) {
		if (instance->id != id)
			continue;
		found = true;
		describe(instance, &view->seen);
		cpumask_copy(&view->cpus, &instance->cpus);
		for (u32 i = 0; i < ARRAY_SIZE(view->functions); i++)
			view->functions[i] = READ_ONCE(instance->functions[i].word);
		view->memory_bytes = twin_given_memory_bytes(instance);
		view->changes = READ_ONCE(instance->changes);
		memcpy(view->image_id, instance->image_id, sizeof(view->image_id));
		view->armed = READ_ONCE(instance->armed);
		break;
	}
	spin_unlock_irqrestore(&beat_lock, flags);
	return found;
}

/* TWINKERNEL_IOC_INSTANCES */
int twin_instance_list(struct twinkernel_instances *list)
{
	u32 room = min_t(u32, list->capacity, 1024), count = 0;
	struct twin_instance *instance;
	struct twinkernel_instance *out;
	unsigned long flags;
	int err = 0;

	if (list->reserved)
		return -EINVAL;
	out = kvcalloc(room + 1, sizeof(*out), GFP_KERNEL);
	if (!out)
		return -ENOMEM;
	spin_lock_irqsave(&beat_lock, flags);
	list_for_each_entry(instance, &instances, link) {
		if (count < room)
			describe(instance, &out[count]);
		count++;
	}
	spin_unlock_irqrestore(&beat_lock, flags);
	list->count = count;
	if (list->instances && copy_to_user(u64_to_user_ptr(list->instances), out, min(room, count) * sizeof(*out)))
		err = -EFAULT;
	kvfree(out);
	return err;
}
