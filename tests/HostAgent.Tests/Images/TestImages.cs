using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using TwinKernel.Fleet.HostAgent.Images;

namespace TwinKernel.Fleet.HostAgent.Tests.Images;

/// <summary>Writes images whose kernel is a boot sector's worth of code: it prints a line and halts.</summary>
internal static class TestImages
{
    public const string FirstLine = "Linux version 0.0.0-test";

    /// <summary>
    /// The smallest thing that QEMU takes for a Linux kernel: a header of boot protocol 2.0 and, in its real-mode part,
    /// code that writes <see cref="FirstLine"/> to the first serial port and halts for good.
    /// </summary>
    public static byte[] Kernel()
    {
        byte[] image = new byte[1024 + 512];
        image[0x1f1] = 1;
        image[0x1fe] = 0x55;
        image[0x1ff] = 0xaa;
        byte[] jump = [0xeb, 0x66];
        jump.CopyTo(image, 0x200);
        "HdrS"u8.CopyTo(image.AsSpan(0x202));
        image[0x207] = 0x02;
        image[0x211] = 0x01;

        // mov dx, 0x3f8; mov si, text (DS holds the segment of the image); lodsb; test al, al; jz end; out dx, al; jmp; end: cli; hlt; jmp end
        byte[] code = [0xba, 0xf8, 0x03, 0xbe, 0x80, 0x02, 0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8, 0xfa, 0xf4, 0xeb, 0xfc];
        code.CopyTo(image, 0x268);
        Encoding.ASCII.GetBytes(FirstLine + "\r\n").CopyTo(image, 0x280);
        return image;
    }

    /// <summary>Writes an image and gives its digest.</summary>
    public static string Write(string images, string name, int initrdBytes = 4096)
    {
        string directory = Path.Combine(images, name);
        Directory.CreateDirectory(directory);
        byte[] kernel = Kernel();
        byte[] initrd = new byte[initrdBytes];
        new Random(initrdBytes).NextBytes(initrd);
        File.WriteAllBytes(Path.Combine(directory, "vmlinuz"), kernel);
        File.WriteAllBytes(Path.Combine(directory, "initrd.img"), initrd);
        byte[] manifest = JsonSerializer.SerializeToUtf8Bytes(new
        {
            formatVersion = 1,
            name,
            kernelRelease = "0.0.0-" + name,
            commandLine = "console=ttyS0",
            kernel = new { file = "vmlinuz", bytes = kernel.Length, sha256 = Convert.ToHexStringLower(SHA256.HashData(kernel)) },
            initrd = new { file = "initrd.img", bytes = initrd.Length, sha256 = Convert.ToHexStringLower(SHA256.HashData(initrd)) },
        });
        File.WriteAllBytes(Path.Combine(directory, "manifest.json"), manifest);
        return "sha256:" + Convert.ToHexStringLower(SHA256.HashData(manifest));
    }

    public static ImageStore Store(string directory, ImageKeys? keys = null) => new(directory, keys ?? ImageKeys.None, NullLogger<ImageStore>.Instance);
}
