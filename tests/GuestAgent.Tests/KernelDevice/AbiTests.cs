using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Tests.KernelDevice;

/// <summary>The C# mirror of the module's header against what gcc makes of the header: sizes, offsets, request numbers, constants.</summary>
public sealed partial class AbiTests
{
    private static readonly Dictionary<string, Type> Structs = new()
    {
        ["twinkernel_cpu"] = typeof(AbiCpu),
        ["twinkernel_range"] = typeof(AbiRange),
        ["twinkernel_query"] = typeof(AbiQuery),
        ["twinkernel_claim_slot"] = typeof(AbiClaimSlot),
        ["twinkernel_release_slot"] = typeof(AbiReleaseSlot),
        ["twinkernel_slot"] = typeof(AbiSlot),
        ["twinkernel_slots"] = typeof(AbiSlots),
        ["twinkernel_launch"] = typeof(AbiLaunch),
        ["twinkernel_stop"] = typeof(AbiStop),
        ["twinkernel_instance"] = typeof(AbiInstance),
        ["twinkernel_instances"] = typeof(AbiInstances),
        ["twinkernel_give_cpu"] = typeof(AbiGiveCpu),
        ["twinkernel_give_function"] = typeof(AbiGiveFunction),
        ["twinkernel_release_function"] = typeof(AbiReleaseFunction),
        ["twinkernel_give_memory"] = typeof(AbiGiveMemory),
        ["twinkernel_release_memory"] = typeof(AbiReleaseMemory),
        ["twinkernel_message"] = typeof(AbiMessage),
        ["twinkernel_function"] = typeof(AbiFunction),
        ["twinkernel_park"] = typeof(AbiPark),
        ["twinkernel_arm"] = typeof(AbiArm),
        ["twinkernel_ready"] = typeof(AbiReady),
        ["twinkernel_wait_parked"] = typeof(AbiWaitParked),
        ["twinkernel_connection"] = typeof(AbiConnection),
        ["twinkernel_connections"] = typeof(AbiConnections),
        ["twinkernel_adopt_function"] = typeof(AbiAdoptFunction),
        ["twinkernel_return"] = typeof(AbiReturn),
        ["twinkernel_commit"] = typeof(AbiCommit),
        ["twinkernel_adopt_memory"] = typeof(AbiAdoptMemory),
        ["twinkernel_preserve_memory"] = typeof(AbiPreserveMemory),
        ["twinkernel_preserve"] = typeof(AbiPreserve),
        ["twinkernel_preserved_piece"] = typeof(AbiPreservedPiece),
        ["twinkernel_preserved"] = typeof(AbiPreserved),
    };

    private static readonly Dictionary<string, uint> Numbers = new()
    {
        ["TWINKERNEL_ABI_VERSION"] = Abi.Version,
        ["TWINKERNEL_MESSAGE_MAX"] = Abi.MessageMax,
        ["TWINKERNEL_IMAGE_ID"] = Abi.ImageIdBytes,
        ["TWINKERNEL_PRESERVED_NAME"] = Abi.PreservedNameBytes,
        ["TWINKERNEL_MAX_PRESERVED"] = Abi.MaxPreserved,
        ["TWINKERNEL_IOC_PRESERVE_MEMORY"] = Abi.Request<AbiPreserveMemory>(Abi.IocPreserveMemory),
        ["TWINKERNEL_IOC_PRESERVE"] = Abi.Request<AbiPreserve>(Abi.IocPreserve),
        ["TWINKERNEL_IOC_PRESERVED"] = Abi.Request<AbiPreserved>(Abi.IocPreserved),
        ["TWINKERNEL_PARK_MAX_FUNCTIONS"] = Abi.ParkMaxFunctions,
        ["TWINKERNEL_QUERY_HAS_PARENT"] = Abi.QueryHasParent,
        ["TWINKERNEL_QUERY_PARENT_PARKED"] = Abi.QueryParentParked,
        ["TWINKERNEL_QUERY_TWIN_BOOTED"] = Abi.QueryTwinBooted,
        ["TWINKERNEL_QUERY_IPI_SHORTHAND"] = Abi.QueryIpiShorthand,
        ["TWINKERNEL_CPU_ONLINE"] = Abi.CpuOnline,
        ["TWINKERNEL_CPU_INSTANCE"] = Abi.CpuInstance,
        ["TWINKERNEL_CPU_MACHINE_BOOT"] = Abi.CpuMachineBoot,
        ["TWINKERNEL_RANGE_OWNED"] = Abi.RangeOwned,
        ["TWINKERNEL_RANGE_RESERVED"] = Abi.RangeReserved,
        ["TWINKERNEL_SLOT_BOOT_RESERVED"] = Abi.SlotBootReserved,
        ["TWINKERNEL_LAUNCHED"] = (uint)InstanceState.Launched,
        ["TWINKERNEL_ALIVE"] = (uint)InstanceState.Alive,
        ["TWINKERNEL_READY"] = (uint)InstanceState.Ready,
        ["TWINKERNEL_SERVING"] = (uint)InstanceState.Serving,
        ["TWINKERNEL_PANICKED"] = (uint)InstanceState.Panicked,
        ["TWINKERNEL_PARK_SILENT"] = (uint)ParkEnd.Silent,
        ["TWINKERNEL_PARK_PANICKED"] = (uint)ParkEnd.Panicked,
        ["TWINKERNEL_PARK_RETURNED"] = (uint)ParkEnd.Returned,
        ["TWINKERNEL_PARK_CORRUPT"] = (uint)ParkEnd.Corrupt,
        ["TWINKERNEL_IOC_ARM"] = Abi.Request<AbiArm>(Abi.IocArm),
        ["TWINKERNEL_IOC_QUERY"] = Abi.Request<AbiQuery>(Abi.IocQuery),
        ["TWINKERNEL_IOC_CLAIM_SLOT"] = Abi.Request<AbiClaimSlot>(Abi.IocClaimSlot),
        ["TWINKERNEL_IOC_RELEASE_SLOT"] = Abi.Request<AbiReleaseSlot>(Abi.IocReleaseSlot),
        ["TWINKERNEL_IOC_SLOTS"] = Abi.Request<AbiSlots>(Abi.IocSlots),
        ["TWINKERNEL_IOC_LAUNCH"] = Abi.Request<AbiLaunch>(Abi.IocLaunch),
        ["TWINKERNEL_IOC_STOP"] = Abi.Request<AbiStop>(Abi.IocStop),
        ["TWINKERNEL_IOC_INSTANCES"] = Abi.Request<AbiInstances>(Abi.IocInstances),
        ["TWINKERNEL_IOC_GIVE_CPU"] = Abi.Request<AbiGiveCpu>(Abi.IocGiveCpu),
        ["TWINKERNEL_IOC_GIVE_FUNCTION"] = Abi.Request<AbiGiveFunction>(Abi.IocGiveFunction),
        ["TWINKERNEL_IOC_TAKE_FUNCTION"] = Abi.Request<AbiGiveFunction>(Abi.IocTakeFunction),
        ["TWINKERNEL_IOC_RELEASE_FUNCTION"] = Abi.Request<AbiReleaseFunction>(Abi.IocReleaseFunction),
        ["TWINKERNEL_IOC_GIVE_MEMORY"] = Abi.Request<AbiGiveMemory>(Abi.IocGiveMemory),
        ["TWINKERNEL_IOC_TAKE_MEMORY"] = Abi.Request<AbiGiveMemory>(Abi.IocTakeMemory),
        ["TWINKERNEL_IOC_RELEASE_MEMORY"] = Abi.Request<AbiReleaseMemory>(Abi.IocReleaseMemory),
        ["TWINKERNEL_IOC_TAKE_CPU"] = Abi.Request<AbiGiveCpu>(Abi.IocTakeCpu),
        ["TWINKERNEL_IOC_SEND"] = Abi.Request<AbiMessage>(Abi.IocSend),
        ["TWINKERNEL_IOC_RECEIVE"] = Abi.Request<AbiMessage>(Abi.IocReceive),
        ["TWINKERNEL_IOC_PARK"] = Abi.Request<AbiPark>(Abi.IocPark),
        ["TWINKERNEL_IOC_READY"] = Abi.Request<AbiReady>(Abi.IocReady),
        ["TWINKERNEL_IOC_WAIT_PARKED"] = Abi.Request<AbiWaitParked>(Abi.IocWaitParked),
        ["TWINKERNEL_MAX_CONNECTIONS"] = Abi.MaxConnections,
        ["TWINKERNEL_IOC_CONNECTIONS"] = Abi.Request<AbiConnections>(Abi.IocConnections),
        ["TWINKERNEL_IOC_ADOPT_FUNCTION"] = Abi.Request<AbiAdoptFunction>(Abi.IocAdoptFunction),
        ["TWINKERNEL_IOC_RETURN"] = Abi.Request<AbiReturn>(Abi.IocReturn),
        ["TWINKERNEL_IOC_COMMIT"] = Abi.Request<AbiCommit>(Abi.IocCommit),
        ["TWINKERNEL_IOC_ADOPT_MEMORY"] = Abi.Request<AbiAdoptMemory>(Abi.IocAdoptMemory),
    };

    private static string Header => File.ReadAllText(Path.Join(AppContext.BaseDirectory, "uapi", "twinkernel.h"));

    [Fact]
    public void Every_structure_of_the_header_is_mirrored() =>
        StructPattern().Matches(Header).Select(match => match.Groups[1].Value).Order().ShouldBe(Structs.Keys.Order());

    [Fact]
    public void Every_request_of_the_header_is_mirrored() =>
        RequestPattern().Matches(Header).Select(match => match.Groups[1].Value).Where(name => name != "TWINKERNEL_IOC_MAGIC").Order()
            .ShouldBe(Numbers.Keys.Where(name => name.Contains("_IOC_")).Order());

    [Fact]
    public void Layout_and_numbers_are_what_gcc_makes_of_the_header()
    {
        Dictionary<string, ulong> compiled = Compile();
        List<string> differences = [];
        foreach ((string name, Type mirror) in Structs)
        {
            Compare(differences, compiled, $"sizeof {name}", (ulong)Marshal.SizeOf(mirror));
            foreach (FieldInfo field in mirror.GetFields())
            {
                Compare(differences, compiled, $"offsetof {name} {SnakeCase(field.Name)}", (ulong)Marshal.OffsetOf(mirror, field.Name));
            }
        }

        foreach ((string name, uint value) in Numbers)
        {
            Compare(differences, compiled, $"value {name}", value);
        }

        differences.ShouldBeEmpty();
        compiled.Count.ShouldBe(Structs.Count + Structs.Values.Sum(mirror => mirror.GetFields().Length) + Numbers.Count);
    }

    private static void Compare(List<string> differences, Dictionary<string, ulong> compiled, string what, ulong mine)
    {
        if (compiled[what] != mine)
        {
            differences.Add($"{what}: {compiled[what]} in C, {mine} in C#");
        }
    }

    private static Dictionary<string, ulong> Compile()
    {
        StringBuilder program = new("#include <stddef.h>\n#include <stdio.h>\n#include \"twinkernel.h\"\nint main(void)\n{\n");
        foreach ((string name, Type mirror) in Structs)
        {
            program.Append($"\tprintf(\"sizeof {name}=%lu\\n\", (unsigned long)sizeof(struct {name}));\n");
            foreach (FieldInfo field in mirror.GetFields())
            {
                string member = SnakeCase(field.Name);
                program.Append($"\tprintf(\"offsetof {name} {member}=%lu\\n\", (unsigned long)offsetof(struct {name}, {member}));\n");
            }
        }

        foreach (string name in Numbers.Keys)
        {
            program.Append($"\tprintf(\"value {name}=%lu\\n\", (unsigned long){name});\n");
        }

        program.Append("\treturn 0;\n}\n");
        DirectoryInfo directory = Directory.CreateTempSubdirectory("twin-abi-");
        try
        {
            string source = Path.Join(directory.FullName, "abi.c");
            string binary = Path.Join(directory.FullName, "abi");
            File.WriteAllText(source, program.ToString());
            Run("gcc", "-Wall", "-Werror", "-I", Path.Join(AppContext.BaseDirectory, "uapi"), "-o", binary, source);
            return Run(binary).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => line.Split('='))
                .ToDictionary(pair => pair[0], pair => ulong.Parse(pair[1]));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static string Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        process.ExitCode.ShouldBe(0, errors.Result);
        return output;
    }

    private static string SnakeCase(string name) => WordPattern().Replace(name, match => (match.Index == 0 ? "" : "_") + match.Value.ToLowerInvariant());

    [GeneratedRegex(@"^struct (twinkernel_\w+) \{", RegexOptions.Multiline)]
    private static partial Regex StructPattern();

    [GeneratedRegex(@"^#define (TWINKERNEL_IOC_\w+)", RegexOptions.Multiline)]
    private static partial Regex RequestPattern();

    [GeneratedRegex("[A-Z]")]
    private static partial Regex WordPattern();
}
