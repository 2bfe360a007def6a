// SPDX-License-Identifier: GPL-2.0
/*
 * Processors. INIT puts an application processor into wait-for-SIPI, but sends the machine's boot processor
 * to the firmware, which honours the warm reset vector (CMOS 0x0f = 0x0a and the far pointer at 40:67).
 * So the vector always points at a page of ours before the boot processor is reset: a trampoline when it is
 * to start a kernel, a halt loop when it is to be still.
 */
#include "twin.h"
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/mc146818rtc.h>
#include <asm/apic.h>
#include "compat/compat.h"
#include "cpu.h"
#include "instance.h"
#include "machine.h"
#include "parent.h"
#include "trampoline.h"

#define WARM_RESET_VECTOR	0x467		/* far pointer: offset, segment */
#define CMOS_SHUTDOWN		0x0f
#define CMOS_SHUTDOWN_JUMP	0x0a

static struct cpumask given;	/* to instances; bits are atomic, read without twin_lock by the hotplug callback */
static bool all_allowed;	/* no parent, or the commit has begun */
static int hotplug_state;

/**
 * twin_cpu_apic_id() - the APIC id of a present processor
 * @cpu: logical number
 * @apic_id: out
 *
 * Return: 0 or -ENOENT.
 */
int twin_cpu_apic_id(unsigned int cpu, u32 *apic_id)
{
	if (cpu >= nr_cpu_ids || !cpu_present(cpu))
		return -ENOENT;
	*apic_id = per_cpu(x86_cpu_to_apicid, cpu);
	return *apic_id == BAD_APICID ? -ENOENT : 0;
}

/** twin_cpu_list() - describe the present processors; returns how many there are */
u32 twin_cpu_list(struct twinkernel_cpu *cpus, u32 room)
{
	u32 count = 0, apic_id;
	unsigned int cpu;

	lockdep_assert_held(&twin_lock);
	for_each_present_cpu(cpu) {
		if (twin_cpu_apic_id(cpu, &apic_id))
			continue;
		if (count < room) {
			struct twinkernel_cpu *out = &cpus[count];

			*out = (struct twinkernel_cpu){ .cpu = cpu, .apic_id = apic_id };
			out->instance = twin_instance_of_cpu(cpu);
			out->flags = (cpu_online(cpu) ? TWINKERNEL_CPU_ONLINE : 0) |
				     (out->instance ? TWINKERNEL_CPU_INSTANCE : 0) |
				     (apic_id == twin_machine.boot_apic_id ? TWINKERNEL_CPU_MACHINE_BOOT : 0);
		}
		count++;
	}
	return count;
}

/**
 * twin_cpu_give() - take an offline processor out of this kernel's reach
 * @cpu: logical number
 *
 * Return: 0, -ENOENT no such processor, -EBUSY it is online or given already.
 */
int twin_cpu_give(unsigned int cpu)
{
	u32 apic_id;
	int err;

	lockdep_assert_held(&twin_lock);
	err = twin_cpu_apic_id(cpu, &apic_id);
	if (err)
		return err;
	cpus_read_lock();
	if (cpu_online(cpu) || cpumask_test_and_set_cpu(cpu, &given))
		err = -EBUSY;
	cpus_read_unlock();
	return err;
}

void twin_cpu_take_back(unsigned int cpu)
{
	cpumask_clear_cpu(cpu, &given);
}

/** twin_cpu_allow_all() - the parent is gone or about to: every present processor may come online here */
void twin_cpu_allow_all(void)
{
	WRITE_ONCE(all_allowed, true);
}

static int before_online(unsigned int cpu)
{
	u32 apic_id;

	if (cpumask_test_cpu(cpu, &given))
		return -EBUSY;
	if (!READ_ONCE(all_allowed) && (twin_cpu_apic_id(cpu, &apic_id) || !twin_parent_use_cpu(apic_id, true)))
		return -EBUSY;
	return 0;
}

static int after_offline(unsigned int cpu)
{
	u32 apic_id;

	if (!READ_ONCE(all_allowed) && !twin_cpu_apic_id(cpu, &apic_id))
		twin_parent_use_cpu(apic_id, false);
	return 0;
}

static void set_warm_reset(u8 shutdown, u64 page)
{
	unsigned long flags;

	spin_lock_irqsave(&rtc_lock, flags);
	CMOS_WRITE(shutdown, CMOS_SHUTDOWN);
	spin_unlock_irqrestore(&rtc_lock, flags);
	WRITE_ONCE(*(u16 *)phys_to_virt(WARM_RESET_VECTOR), 0);
	WRITE_ONCE(*(u16 *)phys_to_virt(WARM_RESET_VECTOR + 2), page >> 4);
}

static void send(u32 command, u32 apic_id)
{
	unsigned long flags;

	local_irq_save(flags);
	twin_apic_icr_write(command, apic_id);
	local_irq_restore(flags);
	udelay(200);
}

static void send_init(u32 apic_id)
{
	send(APIC_INT_LEVELTRIG | APIC_INT_ASSERT | APIC_DM_INIT, apic_id);
	send(APIC_INT_LEVELTRIG | APIC_DM_INIT, apic_id);
}

/**
 * twin_cpu_start() - INIT, SIPI
 * @apic_id: the processor
 * @page: physical address below 1 MiB of the real-mode code that it is to run
 *
 * Follow with twin_cpu_started() once it runs.
 */
void twin_cpu_start(u32 apic_id, u64 page)
{
	if (apic_id == twin_machine.boot_apic_id)
		set_warm_reset(CMOS_SHUTDOWN_JUMP, page);
	wmb();	/* code and vector before the interrupts */
	send_init(apic_id);
	mdelay(10);
	twin_cpu_start_again(apic_id, page);
}

/**
 * twin_cpu_start_again() - the second SIPI, for a processor that did not hear the first
 * @apic_id: the processor
 * @page: as of twin_cpu_start()
 *
 * Not sent without need: an emulator keeps it for a processor that has started already, beyond the next INIT.
 */
void twin_cpu_start_again(u32 apic_id, u64 page)
{
	send(APIC_DM_STARTUP | (u32)(page >> PAGE_SHIFT), apic_id);
}

void twin_cpu_started(u32 apic_id)
{
	if (apic_id == twin_machine.boot_apic_id)
		set_warm_reset(0, 0);
}

/**
 * twin_cpu_stop() - reset a processor and keep it still; may be called with interrupts off
 * @apic_id: the processor
 * @page: physical address of a page below 1 MiB to park the boot processor in; overwritten
 */
void twin_cpu_stop(u32 apic_id, u64 page)
{
	const u32 *reached;

	if (apic_id != twin_machine.boot_apic_id) {
		send_init(apic_id);
		return;
	}
	reached = twin_trampoline_halt(page);
	set_warm_reset(CMOS_SHUTDOWN_JUMP, page);
	wmb();	/* the firmware reads the vector, the processor the page */
	send_init(apic_id);
	for (int ms = 0; ms < 1000 && !READ_ONCE(*reached); ms++)
		mdelay(1);
	/* When it was not seen the vector stays: the processor may still be on its way through the firmware. */
	if (READ_ONCE(*reached))
		twin_cpu_started(apic_id);
	else
		pr_err("the boot processor did not come back from its reset\n");
}

int twin_cpu_init(void)
{
	all_allowed = !twin_machine.twin_booted;
	/* Asks for those that are online already as well: an instance may have booted with several, all of them given. */
	hotplug_state = cpuhp_setup_state(CPUHP_BP_PREPARE_DYN, "twinkernel:guard", before_online, after_offline);
	return hotplug_state < 0 ? hotplug_state : 0;
}

void twin_cpu_exit(void)
{
	cpuhp_remove_state_nocalls(hotplug_state);
}
