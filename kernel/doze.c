// SPDX-License-Identifier: GPL-2.0
/*
 * How a parked processor waits without burning itself: halted, woken every millisecond by its own timer. Nothing of
 * this kernel runs meanwhile. Its task priority holds back all interrupts but the highest class; a private interrupt
 * table answers that class with nothing but a return, and exceptions and NMIs as before. Matters where processors are
 * threads that share cores: a parked one that spins takes half the time from the one that is taking over.
 */
#include "twin.h"
#include <linux/nmi.h>
#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include <asm/tsc.h>
#include "doze.h"

#define HIGHEST_CLASS	0xf0
#define ALARM_VECTOR	0xf7	/* any of the class: none of this kernel's processors is online to send one */
#define HELD_BACK	0xe0	/* task priority: classes up to 14 */
#define COUNT_DIVISOR	0x3	/* by 16 */
#define COUNT		62500	/* 1 ms of a bus at 1 GHz, which emulators have; 10 ms of one at 100 MHz */
#define COUNT_AT_ONCE	1000
#define CR4_FRED_BIT	32

extern const u8 twin_doze_entry[];	/* doze_entry.S */

static gate_desc gates[256] __aligned(16);

static u64 read_cr4(void)
{
	u64 value;

	asm volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

static void load_table(const struct desc_ptr *table)
{
	asm volatile("lidt %0" : : "m"(*table));
}

/* The timer's next interrupt: @count ticks from now, or a millisecond in a mode that knows deadlines. */
static void set_timer(bool deadline, u32 count)
{
	u64 at = rdtsc() + tsc_khz;

	if (!deadline) {
		apic->write(APIC_TMICT, count);
		return;
	}
	asm volatile("mfence; lfence" : : : "memory");	/* the APIC's mode before the deadline, SDM 11.5.4.1 */
	wrmsr(MSR_IA32_TSC_DEADLINE, (u32)at, (u32)(at >> 32));
}

/**
 * twin_doze_begin() - arrange for twin_doze(); interrupts are off and stay off between naps
 * @doze: filled; where it is not possible to doze, twin_doze() is a pause
 */
void twin_doze_begin(struct twin_doze *doze)
{
	struct desc_ptr mine = { .size = sizeof(gates) - 1, .address = (unsigned long)gates };
	unsigned long entry = (unsigned long)twin_doze_entry;

	/* What is pending in the class would be swallowed; a kernel that uses FRED has no interrupt table. */
	doze->possible = !(apic->read(APIC_IRR + 0x70) >> 16) && !(read_cr4() >> CR4_FRED_BIT & 1);
	if (!doze->possible)
		return;
	asm volatile("sidt %0" : "=m"(doze->idt));
	memcpy(gates, (void *)doze->idt.address, min_t(size_t, doze->idt.size + 1, sizeof(gates)));
	for (int vector = HIGHEST_CLASS; vector < 256; vector++)
		gates[vector] = (gate_desc){
			.offset_low = (u16)entry, .offset_middle = (u16)(entry >> 16), .offset_high = entry >> 32,
			.segment = __KERNEL_CS, .bits = { .type = GATE_INTERRUPT, .p = 1 },
		};
	doze->priority = apic->read(APIC_TASKPRI);
	doze->timer = apic->read(APIC_LVTT);
	doze->divisor = apic->read(APIC_TDCR);
	doze->deadline = boot_cpu_has(X86_FEATURE_TSC_DEADLINE_TIMER);
	load_table(&mine);
	apic->write(APIC_TASKPRI, HELD_BACK);
	apic->write(APIC_TDCR, COUNT_DIVISOR);
	apic->write(APIC_LVTT, ALARM_VECTOR | (doze->deadline ? APIC_LVT_TIMER_TSCDEADLINE : APIC_LVT_TIMER_ONESHOT));
}

/** twin_doze() - one nap of about a millisecond */
void twin_doze(const struct twin_doze *doze)
{
	touch_nmi_watchdog();
	if (!doze->possible) {
		cpu_relax();
		return;
	}
	set_timer(doze->deadline, COUNT);
	asm volatile("sti; hlt; cli" : : : "memory");
	apic->write(APIC_EOI, 0);
}

/** twin_doze_end() - everything as it was; the timer's next interrupt comes at once, its event is overdue by now */
void twin_doze_end(const struct twin_doze *doze)
{
	if (!doze->possible)
		return;
	apic->write(APIC_LVTT, doze->timer);
	apic->write(APIC_TDCR, doze->divisor);
	apic->write(APIC_TASKPRI, doze->priority);
	load_table(&doze->idt);
	set_timer((doze->timer & APIC_LVT_TIMER_TSCDEADLINE) == APIC_LVT_TIMER_TSCDEADLINE, COUNT_AT_ONCE);
}
