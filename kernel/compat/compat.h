/* SPDX-License-Identifier: GPL-2.0 */
/* The only place that asks for the kernel's version, and for what headers do not declare. */
#ifndef TWIN_COMPAT_H
#define TWIN_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/version.h>
#include <asm/apic.h>

/*
 * The ICR accessor of the running APIC driver: from 6.5 on apic_icr_write() is a static call that modules
 * cannot reach, the driver's own function pointer is exported all along.
 */
static inline void twin_apic_icr_write(u32 low, u32 apic_id)
{
	apic->icr_write(low, apic_id);
}

static inline void twin_hrtimer_setup(struct hrtimer *timer,
				      enum hrtimer_restart (*function)(struct hrtimer *))
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer->function = function;
#endif
}

/* Interrupts that move in their own handler say so from 6.15 on; before, all do that do not say otherwise. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
#define TWIN_IRQCHIP_MOVE_DEFERRED IRQCHIP_MOVE_DEFERRED
#else
#define TWIN_IRQCHIP_MOVE_DEFERRED 0
#endif

/*
 * Interrupt number @irq of a hierarchical domain. Before 6.1 modules cannot ask for a number; these come in order, and in a
 * kernel without legacy interrupts from 1 on.
 */
static inline int twin_irq_alloc(struct irq_domain *domain, int irq, struct irq_fwspec *wanted)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 0)
	return __irq_domain_alloc_irqs(domain, irq, 1, NUMA_NO_NODE, wanted, false, NULL);
#else
	return irq_create_fwspec_mapping(wanted);
#endif
}

/* Exported to modules but declared in kernel/rcu/rcu.h only. */
extern int rcu_cpu_stall_suppress;

#endif
