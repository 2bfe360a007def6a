// SPDX-License-Identifier: GPL-2.0
/*
 * Park. The last processor of this kernel sits in stop_machine() without an interrupt of this kernel's and touches
 * nothing but the control block, so that everything is as it was when it goes on. Its code, stack and page tables are
 * this kernel's own memory, which the instance does not know before the commit. Four things end it: the instance's heart
 * stands still, it panicked, it asked this kernel to return, or the control block is damaged. In each case the
 * instance's processors are reset before anything else, then its devices are cut off from memory.
 * The other end is the commit: the instance resets this processor, and no code here runs again.
 */
#include "twin.h"
#include <linux/cpu.h>
#include <linux/nmi.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/stop_machine.h>
#include <asm/tsc.h>
#include "include/abi/control.h"
#include "compat/compat.h"
#include "connections.h"
#include "control.h"
#include "cpu.h"
#include "doze.h"
#include "failover.h"
#include "given.h"
#include "instance.h"
#include "ioapic.h"
#include "park.h"
#include "pci.h"
#include "slot.h"
#include "trace.h"
#include "window.h"

#define PATIENCE_MIN_MS	10
#define PATIENCE_MAX_MS	60000
#define BEATS_AT_ONCE	(100 * 60)	/* a minute's worth between two looks: no longer a heart */

struct stay {
	struct twin_instance *instance;
	struct twin_pci_set functions;
	struct cpumask others;	/* to be reset at the end */
	u64 patience;	/* TSC cycles */
	u32 end;
	u64 cycles;
};

static u32 watch(struct stay *stay, struct twin_control *control, const struct twin_doze *doze)
{
	u64 seen = READ_ONCE(control->child_beat), changed = rdtsc();

	for (;;) {
		u64 beat = READ_ONCE(control->child_beat), now = rdtsc();

		if (!twin_control_constant(control) || beat - seen > BEATS_AT_ONCE)
			return TWINKERNEL_PARK_CORRUPT;
		if (beat != seen) {
			seen = beat;
			changed = now;
		} else if (now - changed > stay->patience) {
			return TWINKERNEL_PARK_SILENT;
		}
		if (READ_ONCE(control->child_state) == TWINKERNEL_PANICKED)
			return TWINKERNEL_PARK_PANICKED;
		if (READ_ONCE(control->child_return))
			return TWINKERNEL_PARK_RETURNED;
		twin_doze(doze);
	}
}

/*
 * The instance may have onlined any processor that is offline here, given or not (a commit that did not
 * finish): all are reset that no other instance holds.
 */
static void choose_others(struct stay *stay)
{
	unsigned int cpu;

	for_each_present_cpu(cpu) {
		u32 owner = twin_instance_of_cpu(cpu);

		if (!cpu_online(cpu) && (!owner || owner == stay->instance->id))
			cpumask_set_cpu(cpu, &stay->others);
	}
}

static void reset_others(struct stay *stay)
{
	unsigned int cpu;
	u32 apic_id;

	for_each_cpu(cpu, &stay->others)
		if (!twin_cpu_apic_id(cpu, &apic_id))
			twin_cpu_stop(apic_id, stay->instance->slot->low_start);
}

static int stay_parked(void *data)
{
	struct stay *stay = data;
	struct twin_control *control = stay->instance->control;
	struct twin_doze doze;
	u64 start;

	twin_pci_quiesce_set(&stay->functions);
	twin_ioapic_keep();
	control->connection_count = twin_connections_list(control->connections, ARRAY_SIZE(control->connections));
	start = rdtsc_ordered();
	twin_control_publish_parked(control);

	twin_doze_begin(&doze);
	stay->end = watch(stay, control, &doze);
	twin_doze_end(&doze);

	reset_others(stay);
	twin_pci_quiesce_set(&stay->functions);
	twin_given_quiesce(stay->instance);
	twin_ioapic_restore();
	stay->cycles = rdtsc_ordered() - start;
	touch_nmi_watchdog();
	return 0;
}

static int check(const struct twinkernel_park *park, const struct twin_instance *instance)
{
	u32 state;

	if (!instance)
		return -ENOENT;
	state = twin_instance_state(instance);
	if (state != TWINKERNEL_READY && state != TWINKERNEL_SERVING)
		return -EAGAIN;
	return num_online_cpus() > 1 ? -EBUSY : 0;
}

/* TWINKERNEL_IOC_PARK */
int twin_park(struct twinkernel_park *park)
{
	struct twin_instance *instance;
	struct stay *stay;
	int suppress, err;

	if (park->reserved || park->function_count > TWINKERNEL_PARK_MAX_FUNCTIONS ||
	    park->patience_ms < PATIENCE_MIN_MS || park->patience_ms > PATIENCE_MAX_MS)
		return -EINVAL;
	stay = kzalloc(sizeof(*stay), GFP_KERNEL);
	if (!stay)
		return -ENOMEM;
	mutex_lock(&twin_lock);
	instance = twin_instance_find(park->instance);
	err = check(park, instance);
	if (!err && twin_given_any_of(park->functions, park->function_count))
		err = -EINVAL;
	if (err)
		goto out;
	/* From here on the instance's failure is this kernel's to catch, not the other way round. */
	twin_failover_disarm(instance);
	stay->instance = instance;
	stay->patience = (u64)tsc_khz * park->patience_ms;
	choose_others(stay);
	err = twin_pci_open_set(&stay->functions, park->functions, park->function_count);
	if (err)
		goto out_close;

	trace_park(instance->id, stay->functions.count);
	/* Jiffies will jump: a grace period that began before must not look like a stall. */
	suppress = READ_ONCE(rcu_cpu_stall_suppress);
	WRITE_ONCE(rcu_cpu_stall_suppress, 1);
	err = stop_machine(stay_parked, stay, NULL);
	touch_softlockup_watchdog();
	if (!err)
		synchronize_rcu();
	WRITE_ONCE(rcu_cpu_stall_suppress, suppress);
	if (err)
		goto out_close;

	park->end = stay->end;
	park->parked_ns = mul_u64_u64_div_u64(stay->cycles, NSEC_PER_MSEC, tsc_khz);
	trace_park_end(instance->id, park->end, park->parked_ns);
	pr_info("instance %u: back after %llu ms parked, reason %u\n", instance->id, park->parked_ns / NSEC_PER_MSEC,
		park->end);
	twin_instance_forget(instance);
out_close:
	twin_pci_close_set(&stay->functions);
out:
	mutex_unlock(&twin_lock);
	kfree(stay);
	return err;
}
