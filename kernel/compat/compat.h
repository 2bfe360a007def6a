/* SPDX-License-Identifier: GPL-2.0 */
/* The only place that asks for the kernel's version, and for what headers do not declare. */
#ifndef TWIN_COMPAT_H
#define TWIN_COMPAT_H

#include <linux/hrtimer.h>
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

/* Exported to modules but declared in kernel/rcu/rcu.h only. */
extern int rcu_cpu_stall_suppress;

#endif
