namespace TwinKernel.Fleet.GuestAgent.KernelDevice;

/// <summary>The errnos that the module's contract and the kernel's answers to kexec name, with Linux's numbers for x86-64.</summary>
public enum Errno
{
    None = 0,
    EPERM = 1,
    ENOENT = 2,
    EINTR = 4,
    EIO = 5,
    ENXIO = 6,
    E2BIG = 7,
    ENOEXEC = 8,
    EAGAIN = 11,
    ENOMEM = 12,
    EFAULT = 14,
    EBUSY = 16,
    EEXIST = 17,
    ENODEV = 19,
    EINVAL = 22,
    ENOTTY = 25,
    ENOSPC = 28,
    ENOSYS = 38,
    ENODATA = 61,
    ENOPKG = 65,
    EPROTO = 71,
    EBADMSG = 74,
    ELIBBAD = 80,
    EMSGSIZE = 90,
    EOPNOTSUPP = 95,
    ETIMEDOUT = 110,
    ENOKEY = 126,
    EKEYREJECTED = 129,
}
