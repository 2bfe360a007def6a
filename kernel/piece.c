// SPDX-License-Identifier: GPL-2.0
/* /dev/twinkernel-preserved/NAME: a preserved piece that user space maps. Once there, it stays as long as the module. */
#include "twin.h"
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include "piece.h"

struct piece {
	struct list_head link;
	struct miscdevice device;
	char name[sizeof("twinkernel-preserved/") + TWINKERNEL_PRESERVED_NAME];
	u64 start;
	u64 bytes;
};

static LIST_HEAD(pieces);	/* under twin_lock, or while the module is loaded */

/* As misc_open() leaves it. */
static const struct piece *piece_of(const struct file *file)
{
	return container_of(file->private_data, struct piece, device);
}

static int piece_mmap(struct file *file, struct vm_area_struct *vma)
{
	u64 bytes = vma->vm_end - vma->vm_start, offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	const struct piece *piece = piece_of(file);

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_pgoff >= piece->bytes >> PAGE_SHIFT || bytes > piece->bytes - offset)
		return -ENXIO;
	return remap_pfn_range(vma, vma->vm_start, PHYS_PFN(piece->start + offset), bytes, vma->vm_page_prot);
}

static loff_t piece_seek(struct file *file, loff_t offset, int whence)
{
	return fixed_size_llseek(file, offset, whence, piece_of(file)->bytes);
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.mmap = piece_mmap,
	.llseek = piece_seek,
};

static ssize_t bytes_show(struct device *device, struct device_attribute *attribute, char *text)
{
	const struct piece *piece = container_of(dev_get_drvdata(device), struct piece, device);

	return sysfs_emit(text, "%llu\n", piece->bytes);
}
static DEVICE_ATTR_RO(bytes);

static struct attribute *piece_attrs[] = { &dev_attr_bytes.attr, NULL };
ATTRIBUTE_GROUPS(piece);

/** twin_piece_register() - let user space have a piece of preserved memory; -ENOMEM, -EBUSY no minor number is left */
int twin_piece_register(const struct twinkernel_preserved_piece *preserved)
{
	struct piece *piece = kzalloc(sizeof(*piece), GFP_KERNEL);
	int err;

	if (!piece)
		return -ENOMEM;
	piece->start = preserved->start;
	piece->bytes = preserved->bytes;
	snprintf(piece->name, sizeof(piece->name), "twinkernel-preserved/%s", preserved->name);
	piece->device = (struct miscdevice){
		.minor = MISC_DYNAMIC_MINOR, .name = piece->name, .mode = 0600, .fops = &operations, .groups = piece_groups,
	};
	err = misc_register(&piece->device);
	if (err)
		kfree(piece);
	else
		list_add(&piece->link, &pieces);
	return err;
}

/** twin_piece_unregister_all() - only while the module's loading fails */
void twin_piece_unregister_all(void)
{
	struct piece *piece, *next;

	list_for_each_entry_safe(piece, next, &pieces, link) {
		misc_deregister(&piece->device);
		kfree(piece);
	}
}
