using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Probation;

/// <summary>
/// What leaves by one network interface waits until it is let go, batch by batch (sch_plug(8)'s output commit), but for what the agent itself has to
/// say (<see cref="Exempt"/>). In the kernel: it stays closed when the agent ends. Two queueing disciplines, a <c>prio</c> at the root
/// with one band for the agent, and a <c>plug</c> in the other; over rtnetlink, one message each.
/// </summary>
internal sealed unsafe class OutputPlug : IDisposable
{
    private const int NetlinkFamily = 16;
    private const int RawSocket = 3;
    private const ushort NewQdisc = 36;
    private const ushort DeleteQdisc = 37;
    private const ushort Request = 1;
    private const ushort Acknowledge = 4;
    private const ushort Exclusive = 0x200;
    private const ushort Create = 0x400;
    private const ushort AttributeKind = 1;
    private const ushort AttributeOptions = 2;

    private const uint Root = 0xffffffff;
    private const uint Bands = 0x74770000;
    private const uint HeldBand = Bands + 2;
    private const uint Plug = 0x74780000;

    private const int ActionBuffer = 0;
    private const int ActionReleaseOne = 1;
    private const int ActionReleaseAll = 2;

    /// <summary>What waits at most, in bytes. More is dropped, and sent again by TCP.</summary>
    private const int Limit = 16 << 20;

    private const int SocketLevel = 1;
    private const int SocketPriority = 12;

    /// <summary>TC_PRIO_CONTROL: no type of service maps to it, and only root may ask for it.</summary>
    private const int ExemptPriority = 7;

    private readonly int _index;
    private readonly int _socket;

    /// <summary>It was installed now, and is open: nothing has waited in it yet.</summary>
    public bool IsNew { get; private set; }

    private OutputPlug(int index)
    {
        _index = index;
        _socket = Libc.Socket(NetlinkFamily, RawSocket | Libc.CloseOnExec, 0);
        if (_socket < 0)
        {
            throw new IOException($"netlink: {(Errno)Marshal.GetLastPInvokeError()}");
        }
    }

    /// <summary>What this socket sends does not wait. Without the right to ask for it nothing changes.</summary>
    public static void Exempt(Socket socket)
    {
        try
        {
            socket.SetRawSocketOption(SocketLevel, SocketPriority, BitConverter.GetBytes(ExemptPriority));
        }
        catch (SocketException)
        {
            // No root: a test, on a machine of which no card is ever plugged.
        }
    }

    /// <summary>
    /// Puts one on an interface, open, at best before that is up: a queueing discipline that is changed under traffic loses packets. One that is
    /// there stays as it is: it may hold what an agent before this one had no right to let go.
    /// </summary>
    /// <param name="index">Of the interface.</param>
    /// <exception cref="IOException">The kernel has no such disciplines, or refuses.</exception>
    public static OutputPlug Install(int index)
    {
        OutputPlug plug = new(index);
        try
        {
            Span<byte> bands = stackalloc byte[20]; // struct tc_prio_qopt: int bands, __u8 priomap[16]
            bands[4..].Fill(1);
            bands[4 + ExemptPriority] = 0;
            bands[0] = 2;
            plug.Ask(NewQdisc, Create | Exclusive, Root, Bands, "prio"u8, bands, Errno.EEXIST);
            if (plug.Ask(NewQdisc, Create | Exclusive, HeldBand, Plug, "plug"u8, Options(0, Limit), Errno.EEXIST) == Errno.None)
            {
                plug.Open();
                plug.IsNew = true;
            }

            return plug;
        }
        catch
        {
            plug.Dispose();
            throw;
        }
    }

    /// <summary>Takes the one on an interface away, with what still waits in it. The bands stay and hold nothing back. Idempotent.</summary>
    /// <exception cref="IOException">The kernel refuses.</exception>
    public static void Remove(int index)
    {
        using OutputPlug plug = new(index);
        plug.Ask(DeleteQdisc, 0, HeldBand, Plug, [], [], Errno.ENOENT, Errno.EINVAL);
    }

    /// <summary>What comes from here on is one batch, what came before since the last call another, which <see cref="ReleaseOne"/> lets go.</summary>
    /// <exception cref="IOException">As all here: the kernel refuses.</exception>
    public void Buffer() => Change(ActionBuffer);

    public void ReleaseOne() => Change(ActionReleaseOne);

    /// <summary>Nothing waits any more, up to the next <see cref="Buffer"/>.</summary>
    public void Open() => Change(ActionReleaseAll);

    public void Dispose() => Libc.Close(_socket);

    private static byte[] Options(int action, int limit) // struct tc_plug_qopt
    {
        byte[] options = new byte[8];
        BinaryPrimitives.WriteInt32LittleEndian(options, action);
        BinaryPrimitives.WriteInt32LittleEndian(options.AsSpan(4), limit);
        return options;
    }

    private void Change(int action) => Ask(NewQdisc, 0, HeldBand, Plug, "plug"u8, Options(action, Limit));

    /// <returns>The kernel's answer: none of its errors, or one of those that are accepted.</returns>
    private Errno Ask(ushort type, ushort flags, uint parent, uint handle, ReadOnlySpan<byte> kind, ReadOnlySpan<byte> options, params Errno[] accepted)
    {
        Span<byte> message = stackalloc byte[128];
        message.Clear();
        int length = 36; // struct nlmsghdr, struct tcmsg
        if (!kind.IsEmpty)
        {
            Attribute(message, ref length, AttributeKind, kind, terminated: true);
            Attribute(message, ref length, AttributeOptions, options, terminated: false);
        }

        BinaryPrimitives.WriteInt32LittleEndian(message, length);
        BinaryPrimitives.WriteUInt16LittleEndian(message[4..], type);
        BinaryPrimitives.WriteUInt16LittleEndian(message[6..], (ushort)(Request | Acknowledge | flags));
        BinaryPrimitives.WriteInt32LittleEndian(message[20..], _index);
        BinaryPrimitives.WriteUInt32LittleEndian(message[24..], handle);
        BinaryPrimitives.WriteUInt32LittleEndian(message[28..], parent);
        Span<byte> answer = stackalloc byte[1024];
        nint received;
        fixed (byte* bytes = message)
        fixed (byte* target = answer)
        {
            // The kernel has answered when the call returns.
            received = Libc.Write(_socket, bytes, (nuint)length) == length ? Libc.Read(_socket, target, (nuint)answer.Length) : -1;
        }

        // struct nlmsgerr behind the header; 0 is an acknowledgement.
        Errno error = received >= 20 ? (Errno)(-BinaryPrimitives.ReadInt32LittleEndian(answer[16..])) : (Errno)Marshal.GetLastPInvokeError();
        return received >= 20 && (error == Errno.None || Array.IndexOf(accepted, error) >= 0)
            ? error
            : throw new IOException($"queueing discipline {Encoding.ASCII.GetString(kind)} on interface {_index}: {error}{(error == Errno.ENOENT ? " (the kernel has none, or none is installed)" : "")}");
    }

    private static void Attribute(Span<byte> message, ref int length, ushort type, ReadOnlySpan<byte> value, bool terminated)
    {
        int bytes = 4 + value.Length + (terminated ? 1 : 0);
        BinaryPrimitives.WriteUInt16LittleEndian(message[length..], (ushort)bytes);
        BinaryPrimitives.WriteUInt16LittleEndian(message[(length + 2)..], type);
        value.CopyTo(message[(length + 4)..]);
        length += (bytes + 3) & ~3;
    }
}
