// SPDX-License-Identifier: GPL-2.0
#include "twin.h"
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/security.h>
#include <linux/uaccess.h>
#include "adopt.h"
#include "device.h"
#include "failover.h"
#include "function.h"
#include "given.h"
#include "instance.h"
#include "launch.h"
#include "machine.h"
#include "mailbox.h"
#include "park.h"
#include "parent.h"
#include "preserved.h"
#include "slot.h"

#define REQUEST_MAX 256

/*
 * @first: size of the structure when it was first published; a caller may not know less
 * @size: size as this module knows it
 */
struct request {
	int (*handle)(void *request);
	u32 first;
	u32 size;
};

/* Each handler takes its own structure; this spells the conversion out once per type. */
#define HANDLER(function, type)							\
	static int handle_##function(void *request)				\
	{									\
		static_assert(sizeof(struct type) <= REQUEST_MAX);		\
		return function((struct type *)request);			\
	}
HANDLER(twin_machine_query, twinkernel_query)
HANDLER(twin_slot_claim, twinkernel_claim_slot)
HANDLER(twin_slot_release, twinkernel_release_slot)
HANDLER(twin_slot_list, twinkernel_slots)
HANDLER(twin_launch, twinkernel_launch)
HANDLER(twin_instance_stop, twinkernel_stop)
HANDLER(twin_instance_list, twinkernel_instances)
HANDLER(twin_instance_give_cpu, twinkernel_give_cpu)
HANDLER(twin_instance_take_cpu, twinkernel_give_cpu)
HANDLER(twin_mailbox_send, twinkernel_message)
HANDLER(twin_mailbox_receive, twinkernel_message)
HANDLER(twin_park, twinkernel_park)
HANDLER(twin_failover_arm, twinkernel_arm)
HANDLER(twin_given_function, twinkernel_give_function)
HANDLER(twin_given_take_function, twinkernel_give_function)
HANDLER(twin_given_memory, twinkernel_give_memory)
HANDLER(twin_given_take_memory, twinkernel_give_memory)
HANDLER(twin_parent_ready, twinkernel_ready)
HANDLER(twin_parent_wait_parked, twinkernel_wait_parked)
HANDLER(twin_parent_connections, twinkernel_connections)
HANDLER(twin_function_adopt, twinkernel_adopt_function)
HANDLER(twin_function_release, twinkernel_release_function)
HANDLER(twin_parent_return, twinkernel_return)
HANDLER(twin_adopt_commit, twinkernel_commit)
HANDLER(twin_adopt_memory, twinkernel_adopt_memory)
HANDLER(twin_adopt_release_memory, twinkernel_release_memory)
HANDLER(twin_preserved_memory, twinkernel_preserve_memory)
HANDLER(twin_preserved_make, twinkernel_preserve)
HANDLER(twin_preserved_list, twinkernel_preserved)

#define REQUEST(command, function, type, first)					\
	[_IOC_NR(command)] = { handle_##function, (first) + BUILD_BUG_ON_ZERO((first) > sizeof(struct type)), sizeof(struct type) }

static const struct request requests[] = {
	REQUEST(TWINKERNEL_IOC_QUERY, twin_machine_query, twinkernel_query, 104),
	REQUEST(TWINKERNEL_IOC_CLAIM_SLOT, twin_slot_claim, twinkernel_claim_slot, 48),
	REQUEST(TWINKERNEL_IOC_RELEASE_SLOT, twin_slot_release, twinkernel_release_slot, 8),
	REQUEST(TWINKERNEL_IOC_SLOTS, twin_slot_list, twinkernel_slots, 24),
	REQUEST(TWINKERNEL_IOC_LAUNCH, twin_launch, twinkernel_launch, 48),
	REQUEST(TWINKERNEL_IOC_STOP, twin_instance_stop, twinkernel_stop, 8),
	REQUEST(TWINKERNEL_IOC_INSTANCES, twin_instance_list, twinkernel_instances, 24),
	REQUEST(TWINKERNEL_IOC_GIVE_CPU, twin_instance_give_cpu, twinkernel_give_cpu, 16),
	REQUEST(TWINKERNEL_IOC_SEND, twin_mailbox_send, twinkernel_message, 24),
	REQUEST(TWINKERNEL_IOC_RECEIVE, twin_mailbox_receive, twinkernel_message, 24),
	REQUEST(TWINKERNEL_IOC_PARK, twin_park, twinkernel_park, 96),
	REQUEST(TWINKERNEL_IOC_READY, twin_parent_ready, twinkernel_ready, 8),
	REQUEST(TWINKERNEL_IOC_WAIT_PARKED, twin_parent_wait_parked, twinkernel_wait_parked, 8),
	REQUEST(TWINKERNEL_IOC_ADOPT_FUNCTION, twin_function_adopt, twinkernel_adopt_function, 16),
	REQUEST(TWINKERNEL_IOC_RETURN, twin_parent_return, twinkernel_return, 8),
	REQUEST(TWINKERNEL_IOC_COMMIT, twin_adopt_commit, twinkernel_commit, 8),
	REQUEST(TWINKERNEL_IOC_ADOPT_MEMORY, twin_adopt_memory, twinkernel_adopt_memory, 24),
	REQUEST(TWINKERNEL_IOC_ARM, twin_failover_arm, twinkernel_arm, 80),
	REQUEST(TWINKERNEL_IOC_GIVE_FUNCTION, twin_given_function, twinkernel_give_function, 16),
	REQUEST(TWINKERNEL_IOC_TAKE_FUNCTION, twin_given_take_function, twinkernel_give_function, 16),
	REQUEST(TWINKERNEL_IOC_RELEASE_FUNCTION, twin_function_release, twinkernel_release_function, 16),
	REQUEST(TWINKERNEL_IOC_GIVE_MEMORY, twin_given_memory, twinkernel_give_memory, 24),
	REQUEST(TWINKERNEL_IOC_TAKE_MEMORY, twin_given_take_memory, twinkernel_give_memory, 24),
	REQUEST(TWINKERNEL_IOC_RELEASE_MEMORY, twin_adopt_release_memory, twinkernel_release_memory, 24),
	REQUEST(TWINKERNEL_IOC_CONNECTIONS, twin_parent_connections, twinkernel_connections, 24),
	REQUEST(TWINKERNEL_IOC_TAKE_CPU, twin_instance_take_cpu, twinkernel_give_cpu, 16),
	REQUEST(TWINKERNEL_IOC_PRESERVE_MEMORY, twin_preserved_memory, twinkernel_preserve_memory, 24),
	REQUEST(TWINKERNEL_IOC_PRESERVE, twin_preserved_make, twinkernel_preserve, 48),
	REQUEST(TWINKERNEL_IOC_PRESERVED, twin_preserved_list, twinkernel_preserved, 40),
};

static int device_open(struct inode *inode, struct file *file)
{
	if (!capable(CAP_SYS_ADMIN) || !capable(CAP_SYS_BOOT))
		return -EPERM;
	return security_locked_down(LOCKDOWN_KEXEC);
}

/* The size in the command number is the caller's too; the one in the structure counts. */
static long device_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	u8 buffer[REQUEST_MAX] __aligned(8) = {};
	void __user *user = (void __user *)argument;
	const struct request *request;
	u32 size;
	int err;

	if (_IOC_TYPE(command) != TWINKERNEL_IOC_MAGIC || _IOC_NR(command) >= ARRAY_SIZE(requests))
		return -ENOTTY;
	request = &requests[_IOC_NR(command)];
	if (!request->handle)
		return -ENOTTY;
	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < request->first || size > PAGE_SIZE)
		return -EINVAL;
	err = copy_struct_from_user(buffer, request->size, user, size);
	if (err)
		return err;
	*(u32 *)buffer = size;
	err = request->handle(buffer);
	/* Also after a failure: some tell more than the errno does. */
	if (copy_to_user(user, buffer, min(size, request->size)))
		return -EFAULT;
	return err;
}

static int device_mmap(struct file *file, struct vm_area_struct *vma)
{
	return twin_slot_mmap(vma);
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = device_open,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = device_mmap,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "twinkernel",
	.mode = 0600,
	.fops = &operations,
};

int twin_device_register(void)
{
	return misc_register(&device);
}

void twin_device_unregister(void)
{
	misc_deregister(&device);
}
