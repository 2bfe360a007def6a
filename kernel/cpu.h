/* SPDX-License-Identifier: GPL-2.0 */
/* Processors: their APIC ids, INIT and SIPI, and who may bring which one online. */
#ifndef TWIN_CPU_H
#define TWIN_CPU_H

#include "twin.h"
#include <linux/cpumask.h>

int twin_cpu_init(void);
void twin_cpu_exit(void);

int twin_cpu_apic_id(unsigned int cpu, u32 *apic_id);
u32 twin_cpu_list(struct twinkernel_cpu *cpus, u32 room);

int twin_cpu_give(unsigned int cpu);
void twin_cpu_take_back(unsigned int cpu);
void twin_cpu_allow_all(void);

void twin_cpu_start(u32 apic_id, u64 page);
void twin_cpu_start_again(u32 apic_id, u64 page);
void twin_cpu_started(u32 apic_id);
void twin_cpu_stop(u32 apic_id, u64 page);

#endif
