// SPDX-License-Identifier: GPL-2.0
/*
 * Mailboxes. Full while sent != fetched. Only the length comes from the other side, and it is read once
 * and checked; the content is opaque here.
 */
#include "twin.h"
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "include/abi/control.h"
#include "doorbell.h"
#include "instance.h"
#include "link.h"
#include "mailbox.h"
#include "parent.h"

#define TIMEOUT_MAX_MS	60000
#define LOST_NS		(50 * NSEC_PER_MSEC)	/* the peer rings; should a ring be lost */
#define POLL_NS		(NSEC_PER_MSEC / 2)	/* nobody rings */

/* The mailbox to (or from) an instance, or the parent for 0; NULL: no such peer. */
static struct twin_mailbox *find(u32 id, bool outgoing)
{
	struct twin_instance *instance;
	struct twin_control *control;

	lockdep_assert_held(&twin_lock);
	if (!id) {
		control = twin_parent_control();
		return !control ? NULL : outgoing ? &control->to_parent : &control->to_child;
	}
	instance = twin_instance_find(id);
	if (!instance)
		return NULL;
	return outgoing ? &instance->control->to_child : &instance->control->to_parent;
}

static int put(const struct twinkernel_message *message, const void *data)
{
	struct twin_mailbox *box = find(message->instance, true);
	u32 sent;

	if (!box)
		return -ENOENT;
	sent = box->sent;
	if (smp_load_acquire(&box->fetched) != sent)	/* the reader has copied */
		return -EAGAIN;
	memcpy(box->data, data, message->bytes);
	WRITE_ONCE(box->bytes, message->bytes);
	smp_store_release(&box->sent, sent + 1);	/* after the text: take() */
	return 0;
}

/* TWINKERNEL_IOC_SEND */
int twin_mailbox_send(struct twinkernel_message *message)
{
	void *data;
	int err;

	if (message->timeout_ms)
		return -EINVAL;
	if (message->bytes > TWINKERNEL_MESSAGE_MAX)
		return -EMSGSIZE;
	data = memdup_user(u64_to_user_ptr(message->data), message->bytes);
	if (IS_ERR(data))
		return PTR_ERR(data);
	mutex_lock(&twin_lock);
	err = put(message, data);
	mutex_unlock(&twin_lock);
	if (!err)
		twin_link_ring(message->instance);
	kfree(data);
	return err;
}

/* -EAGAIN: nothing there yet. */
static int take(struct twinkernel_message *message, void *data, u32 room)
{
	struct twin_mailbox *box = find(message->instance, false);
	u32 sent, bytes;

	if (!box)
		return -ENOENT;
	sent = smp_load_acquire(&box->sent);	/* with the text: put() */
	if (sent == box->fetched)
		return -EAGAIN;
	bytes = READ_ONCE(box->bytes);
	if (bytes > TWINKERNEL_MESSAGE_MAX) {
		smp_store_release(&box->fetched, sent);	/* put() may go on */
		return -EPROTO;
	}
	message->bytes = bytes;
	if (bytes > room)
		return -EMSGSIZE;
	memcpy(data, box->data, bytes);
	smp_store_release(&box->fetched, sent);	/* after the copy: put() */
	return 0;
}

/* TWINKERNEL_IOC_RECEIVE */
int twin_mailbox_receive(struct twinkernel_message *message)
{
	u32 room = min_t(u32, message->bytes, TWINKERNEL_MESSAGE_MAX);
	ktime_t deadline;
	void *data;
	int err;

	if (message->timeout_ms > TIMEOUT_MAX_MS)
		return -EINVAL;
	data = kvmalloc(TWINKERNEL_MESSAGE_MAX, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	deadline = ktime_add_ms(ktime_get(), message->timeout_ms);
	for (;;) {
		u32 rung = twin_doorbell_count();

		mutex_lock(&twin_lock);
		err = take(message, data, room);
		mutex_unlock(&twin_lock);
		if (err != -EAGAIN)
			break;
		err = -ETIMEDOUT;
		if (ktime_after(ktime_get(), deadline))
			break;
		err = -EINTR;
		if (!twin_doorbell_wait(rung, twin_link_exists(message->instance) ? LOST_NS : POLL_NS))
			break;
	}
	if (!err && copy_to_user(u64_to_user_ptr(message->data), data, message->bytes))
		err = -EFAULT;
	kvfree(data);
	return err;
}
