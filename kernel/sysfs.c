// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/twinkernel: what is there, for people and scripts.
 *   instances/<id>/{state,cpus,functions,memory,slot,beat,release,image_id,armed}   slots/<id>/{start,bytes,window,instance}
 *   links/<id of the instance, 0: the parent>/{interface,carrier,start,bytes} and the counters of link.h
 * An instance's directory sends KOBJ_CHANGE with TWINKERNEL_STATE= when its state changes, or what it was given. A node outlives what it
 * shows: reading one whose instance or slot is gone fails with -ENODEV. Nothing here waits for twin_lock, which is
 * held while nodes are removed.
 */
#include "twin.h"
#include <linux/kobject.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>
#include "instance.h"
#include "link.h"
#include "slot.h"
#include "sysfs.h"
#include "trace.h"

struct twin_node {
	struct kobject kobject;
	struct list_head link;	/* of instances; under nodes_lock */
	u32 id;
	u32 announced;		/* state; only the work touches it */
	u32 changes;		/* as announced */
};

static struct kset *root;
static struct kobject *instances, *slots, *links;
static LIST_HEAD(nodes);
static DEFINE_MUTEX(nodes_lock);

static const char * const state_names[] = {
	[TWINKERNEL_LAUNCHED] = "launched", [TWINKERNEL_ALIVE] = "alive", [TWINKERNEL_READY] = "ready",
	[TWINKERNEL_SERVING] = "serving", [TWINKERNEL_PANICKED] = "panicked",
};

struct node_attribute {
	struct attribute attribute;
	ssize_t (*show)(u32 id, char *text);
};

#define NODE_ATTRIBUTE(kind, item)								\
	static struct node_attribute kind##_##item = {						\
		.attribute = { .name = #item, .mode = 0444 }, .show = kind##_##item##_show,	\
	}

#define INSTANCE_ATTRIBUTE(item, format, ...)							\
	static ssize_t instance_##item##_show(u32 id, char *text)				\
	{											\
		struct twin_instance_view view;							\
												\
		if (!twin_instance_look(id, &view))						\
			return -ENODEV;								\
		return sysfs_emit(text, format "\n", __VA_ARGS__);				\
	}											\
	NODE_ATTRIBUTE(instance, item)

INSTANCE_ATTRIBUTE(state, "%s", state_names[view.seen.state]);
INSTANCE_ATTRIBUTE(cpus, "%*pbl", cpumask_pr_args(&view.cpus));
INSTANCE_ATTRIBUTE(memory, "%llu", view.memory_bytes);
INSTANCE_ATTRIBUTE(slot, "%u", view.seen.slot);
INSTANCE_ATTRIBUTE(beat, "%llu", view.seen.beat);
INSTANCE_ATTRIBUTE(release, "%s", view.seen.release);

static ssize_t instance_functions_show(u32 id, char *text)
{
	struct twin_instance_view view;
	ssize_t length = 0;

	if (!twin_instance_look(id, &view))
		return -ENODEV;
	for (u32 i = 0; i < ARRAY_SIZE(view.functions); i++)
		if (view.functions[i])
			length += sysfs_emit_at(text, length, "%s0000:%02x:%02x.%x", length ? " " : "",
						view.functions[i] >> 8 & 0xff, view.functions[i] >> 3 & 0x1f,
						view.functions[i] & 7);
	return length + sysfs_emit_at(text, length, "\n");
}
NODE_ATTRIBUTE(instance, functions);

INSTANCE_ATTRIBUTE(image_id, "%s", view.image_id);
INSTANCE_ATTRIBUTE(armed, "%d", view.armed);

#define SLOT_ATTRIBUTE(item, format, value)							\
	static ssize_t slot_##item##_show(u32 id, char *text)					\
	{											\
		struct twinkernel_slot view;							\
												\
		if (!twin_slot_look(id, &view))							\
			return -ENODEV;								\
		return sysfs_emit(text, format "\n", value);				\
	}											\
	NODE_ATTRIBUTE(slot, item)

SLOT_ATTRIBUTE(start, "%#llx", view.start);
SLOT_ATTRIBUTE(bytes, "%llu", view.bytes);
SLOT_ATTRIBUTE(window, "%#llx", view.low_start);
SLOT_ATTRIBUTE(instance, "%u", view.instance);

#define LINK_ATTRIBUTE(item, format, value)							\
	static ssize_t link_##item##_show(u32 id, char *text)					\
	{											\
		struct twin_link_view view;							\
												\
		if (!twin_link_look(id, &view))							\
			return -ENODEV;								\
		return sysfs_emit(text, format "\n", value);					\
	}											\
	NODE_ATTRIBUTE(link, item)

LINK_ATTRIBUTE(interface, "%s", view.name);
LINK_ATTRIBUTE(carrier, "%d", view.carrier);
LINK_ATTRIBUTE(start, "%#llx", view.start);
LINK_ATTRIBUTE(bytes, "%llu", view.bytes);
#define LINK_COUNTER(item) LINK_ATTRIBUTE(item, "%llu", view.counters.item);
TWIN_LINK_COUNTERS(LINK_COUNTER)

static struct attribute *instance_attrs[] = {
	&instance_state.attribute, &instance_cpus.attribute, &instance_slot.attribute, &instance_beat.attribute,
	&instance_release.attribute, &instance_image_id.attribute, &instance_armed.attribute,
	&instance_functions.attribute, &instance_memory.attribute, NULL,
};
ATTRIBUTE_GROUPS(instance);

static struct attribute *slot_attrs[] = {
	&slot_start.attribute, &slot_bytes.attribute, &slot_window.attribute, &slot_instance.attribute, NULL,
};
ATTRIBUTE_GROUPS(slot);

#define LINK_POINTER(item) &link_##item.attribute,
static struct attribute *link_attrs[] = {
	&link_interface.attribute, &link_carrier.attribute, &link_start.attribute, &link_bytes.attribute,
	TWIN_LINK_COUNTERS(LINK_POINTER) NULL,
};
ATTRIBUTE_GROUPS(link);

static ssize_t show(struct kobject *kobject, struct attribute *attribute, char *text)
{
	return container_of(attribute, struct node_attribute, attribute)->
		show(container_of(kobject, struct twin_node, kobject)->id, text);
}

static const struct sysfs_ops operations = { .show = show };

static void release(struct kobject *kobject)
{
	kfree(container_of(kobject, struct twin_node, kobject));
}

static struct kobj_type instance_type = {
	.sysfs_ops = &operations, .release = release, .default_groups = instance_groups,
};
static struct kobj_type slot_type = {
	.sysfs_ops = &operations, .release = release, .default_groups = slot_groups,
};

static struct kobj_type link_type = {
	.sysfs_ops = &operations, .release = release, .default_groups = link_groups,
};

static struct twin_node *add(struct kobj_type *type, struct kobject *parent, u32 id)
{
	struct twin_node *node = kzalloc(sizeof(*node), GFP_KERNEL);

	if (!node)
		return NULL;
	INIT_LIST_HEAD(&node->link);
	node->id = id;
	node->kobject.kset = root;
	if (kobject_init_and_add(&node->kobject, type, parent, "%u", id)) {
		kobject_put(&node->kobject);
		return NULL;
	}
	kobject_uevent(&node->kobject, KOBJ_ADD);
	return node;
}

/** twin_sysfs_add_instance() - show an instance; NULL when there is no memory for it, which harms nobody else */
struct twin_node *twin_sysfs_add_instance(u32 id)
{
	struct twin_node *node = add(&instance_type, instances, id);

	if (!node)
		return NULL;
	mutex_lock(&nodes_lock);
	list_add_tail(&node->link, &nodes);
	mutex_unlock(&nodes_lock);
	return node;
}

/** twin_sysfs_add_slot() - show a slot; NULL as above */
struct twin_node *twin_sysfs_add_slot(u32 id)
{
	return add(&slot_type, slots, id);
}

/** twin_sysfs_add_link() - show a link; NULL as above */
struct twin_node *twin_sysfs_add_link(u32 id)
{
	return add(&link_type, links, id);
}

/** twin_sysfs_remove() - show it no longer; NULL is nothing */
void twin_sysfs_remove(struct twin_node *node)
{
	if (!node)
		return;
	mutex_lock(&nodes_lock);
	list_del_init(&node->link);
	mutex_unlock(&nodes_lock);
	kobject_uevent(&node->kobject, KOBJ_REMOVE);
	kobject_del(&node->kobject);
	kobject_put(&node->kobject);
}

static void announce(struct twin_node *node)
{
	struct twin_instance_view view;
	char text[32];
	char *environment[2] = { text };

	if (!twin_instance_look(node->id, &view) ||
	    (view.seen.state == node->announced && view.changes == node->changes))
		return;
	if (view.seen.state != node->announced)
		trace_state(node->id, view.seen.state);
	node->announced = view.seen.state;
	node->changes = view.changes;
	snprintf(text, sizeof(text), "TWINKERNEL_STATE=%s", state_names[view.seen.state]);
	kobject_uevent_env(&node->kobject, KOBJ_CHANGE, environment);
}

static void announce_all(struct work_struct *work)
{
	struct twin_node *node;

	mutex_lock(&nodes_lock);
	list_for_each_entry(node, &nodes, link)
		announce(node);
	mutex_unlock(&nodes_lock);
}

static DECLARE_WORK(announcement, announce_all);

/** twin_sysfs_changed() - an instance's state may have changed; any context */
void twin_sysfs_changed(void)
{
	schedule_work(&announcement);
}

int twin_sysfs_init(void)
{
	root = kset_create_and_add("twinkernel", NULL, kernel_kobj);
	if (!root)
		return -ENOMEM;
	instances = kobject_create_and_add("instances", &root->kobj);
	slots = kobject_create_and_add("slots", &root->kobj);
	links = kobject_create_and_add("links", &root->kobj);
	if (instances && slots && links)
		return 0;
	twin_sysfs_exit();
	return -ENOMEM;
}

/** twin_sysfs_exit() - only without slots and instances, and after the heartbeat has stopped */
void twin_sysfs_exit(void)
{
	cancel_work_sync(&announcement);
	kobject_put(links);
	kobject_put(slots);
	kobject_put(instances);
	kset_unregister(root);
}
