using System.Runtime.InteropServices;

namespace TwinKernel.Fleet.GuestAgent.KernelDevice;

/// <summary>Loads <c>twinkernel.ko</c> with finit_module.</summary>
internal static class ModuleLoader
{
    /// <summary>False: it was loaded already.</summary>
    /// <exception cref="DeviceException">The file cannot be opened, or the kernel refuses the module; the kernel log tells more.</exception>
    public static bool Load(string path, string parameters)
    {
        int descriptor = Libc.Open(path, Libc.ReadOnly | Libc.CloseOnExec);
        if (descriptor < 0)
        {
            throw new DeviceException("open", (Errno)Marshal.GetLastPInvokeError(), path);
        }

        try
        {
            if (Libc.LoadModule(Libc.FinitModule, descriptor, parameters, 0) == 0)
            {
                return true;
            }

            Errno errno = (Errno)Marshal.GetLastPInvokeError();
            return errno == Errno.EEXIST ? false : throw new DeviceException("finit_module", errno, $"{path} '{parameters}'");
        }
        finally
        {
            Libc.Close(descriptor);
        }
    }
}
