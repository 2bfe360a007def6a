// SPDX-License-Identifier: GPL-2.0
/*
 * twinkernel: a second, unmodified kernel beside this one, and the hand-over of the machine to it.
 *
 * In the running kernel          between them             in the launched kernel (an "instance")
 *   claim a slot      slot.c
 *   fill it by mmap   slot.c
 *   launch            launch.c    control block, INIT+SIPI
 *   watch             instance.c  heartbeats, state        loaded with control=: ALIVE    parent.c
 *   give, take back   given.c     entries, used or not     adopt and release              function.c, adopt.c
 *   talk              mailbox.c   one message each way     READY                          parent.c
 *   network           link.c      rings and doorbells      the same                       link.c
 *   keep what stays   preserved.c pieces with names        the same devices               preserved.c, piece.c
 *   park              park.c      PARKED, clock, who waits wait for it, adopt functions   function.c
 *                                                          commit, adopt memory           adopt.c
 *
 * Unhappy paths: an instance that never reports, or that is no longer wanted, is stopped (INIT) while this
 * kernel runs. One that falls silent, panics or gives back while this kernel is parked is reset by park.c,
 * and this kernel goes on with all its memory. After the commit there is no way back. The same module runs
 * on both sides: once committed, an instance launches the next one.
 */
#include "twin.h"
#include <linux/module.h>
#include "include/abi/control.h"
#include "cpu.h"
#include "device.h"
#include "failover.h"
#include "function.h"
#include "given.h"
#include "heartbeat.h"
#include "ioapic.h"
#include "link.h"
#include "machine.h"
#include "memmap.h"
#include "parent.h"
#include "preserved.h"
#include "reserved.h"
#include "slot.h"
#include "sysfs.h"

DEFINE_MUTEX(twin_lock);	/* every request that changes or needs the state of slots, instances, the parent */

static ulong control;
module_param(control, ulong, 0444);
MODULE_PARM_DESC(control, "physical address of the control block, in a kernel launched beside another");

static int __init twin_init(void)
{
	int err;

	err = twin_parent_attach(control);
	if (err)
		return err;
	err = twin_reserved_init();
	if (err)
		goto err_detach;
	err = twin_slot_init();
	if (err)
		goto err_detach;
	err = twin_machine_init(twin_parent_mapped());
	if (err)
		goto err_slot;
	twin_memmap_init();
	err = twin_cpu_init();
	if (err)
		goto err_slot;
	err = twin_function_init();
	if (err)
		goto err_cpu;
	err = twin_given_init();
	if (err)
		goto err_cpu;
	err = twin_sysfs_init();
	if (err)
		goto err_given;
	/* Before anything takes an interrupt: numbers below 16 are ISA's. */
	err = twin_ioapic_init();
	if (err)
		goto err_sysfs;
	err = twin_link_init();
	if (err)
		goto err_ioapic;
	err = twin_preserved_init(twin_parent_mapped());
	if (err)
		goto err_link;
	err = twin_device_register();
	if (err)
		goto err_preserved;
	if (twin_parent_mapped())
		twin_link_attach(twin_parent_mapped()->link_start, twin_parent_mapped()->link_bytes);
	twin_failover_init();
	twin_heartbeat_start();
	twin_parent_announce();
	pr_info("generation %llu, TSC %u kHz, ECAM %#llx, %u memory ranges%s\n", twin_machine.generation,
		twin_machine.tsc_khz, twin_machine.ecam_base, twin_machine.range_count,
		twin_machine.ipi_shorthand ? ", broadcast IPIs possible: will not launch" : "");
	return 0;

err_preserved:
	twin_preserved_exit();
err_link:
	twin_link_exit();
err_ioapic:
	twin_ioapic_exit();
err_sysfs:
	twin_sysfs_exit();
err_given:
	twin_given_exit();
err_cpu:
	twin_cpu_exit();
err_slot:
	twin_slot_exit();
err_detach:
	twin_parent_detach();
	return err;
}

/* Runs only without slots, instances and preserved memory, and never in a kernel that was launched: those pin the module. */
static void __exit twin_exit(void)
{
	twin_device_unregister();
	twin_heartbeat_stop();
	twin_failover_exit();
	twin_link_exit();
	twin_ioapic_exit();
	twin_sysfs_exit();
	twin_given_exit();
	twin_cpu_exit();
	twin_slot_exit();
}

module_init(twin_init);
module_exit(twin_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Runs a second kernel beside this one and hands the machine over to it");
MODULE_VERSION("1");
