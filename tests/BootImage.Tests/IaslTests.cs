using System.Buffers.Binary;
using System.Diagnostics;

namespace TwinKernel.Fleet.BootImage.Tests;

/// <summary>An outside judge: ACPICA's compiler takes the tables apart and puts them together again.</summary>
public sealed class IaslTests : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("twin-iasl-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Theory]
    [InlineData("XSDT")]
    [InlineData("FACP")]
    [InlineData("APIC")]
    [InlineData("DSDT")]
    [InlineData("MCFG")]
    [InlineData("SRAT")]
    public void Should_survive_disassembly_and_recompilation(string signature)
    {
        uint[] ids = [0, 1, 2, 254, 255, 1024];
        var table = new BootedMemory(BootPlanner.Plan(SampleRequest.Valid() with { ApicIds = ids, Nodes = SampleRequest.TwoNodes(ids) })).Acpi()[signature];
        File.WriteAllBytes(Path.Combine(_directory.FullName, "table.dat"), table);

        var (disassembled, said) = Iasl("-d", "table.dat");
        disassembled.ShouldBe(0, said);
        said.ShouldNotContain("Incorrect checksum");
        said.ShouldNotContain("**** ");
        var source = File.ReadAllText(Path.Combine(_directory.FullName, "table.dsl"));
        source.ShouldNotContain("Unknown", Case.Insensitive);
        source.ShouldNotContain("should be", Case.Insensitive);
        source.ShouldNotContain("****");

        var (compiled, errors) = Iasl("-p", "again", "table.dsl");
        compiled.ShouldBe(0, errors);
        errors.ShouldContain("0 Errors");
        errors.ShouldContain("0 Warnings");

        var again = File.ReadAllBytes(Path.Combine(_directory.FullName, "again.aml"));
        /* The compiler signs as its creator (bytes 28 to 35) and so has another checksum; all else must be the same. */
        again.Length.ShouldBe(table.Length);
        again[..9].ShouldBe(table[..9]);
        again[10..28].ShouldBe(table[10..28]);
        again[36..].ShouldBe(table[36..]);
    }

    /// <summary>iasl does not disassemble this one, but compiles it, checksums included.</summary>
    [Fact]
    public void Should_write_the_root_pointer_that_the_compiler_writes()
    {
        var table = AcpiTests.Tables()["RSDP"];
        var xsdt = BinaryPrimitives.ReadUInt64LittleEndian(table.AsSpan(24));
        File.WriteAllText(Path.Combine(_directory.FullName, "table.dsl"), $"""
            [0008]           Signature : "RSD PTR "
            [0001]            Checksum : 00
            [0006]              Oem ID : "TWINKR"
            [0001]            Revision : 02
            [0004]        RSDT Address : 00000000
            [0004]              Length : 00000024
            [0008]        XSDT Address : {xsdt:X16}
            [0001]   Extended Checksum : 00
            [0003]            Reserved : 000000

            """);
        var (compiled, errors) = Iasl("-p", "again", "table.dsl");
        compiled.ShouldBe(0, errors);
        table.ShouldBe(File.ReadAllBytes(Path.Combine(_directory.FullName, "again.aml")));
    }

    [Fact]
    public void Should_notice_a_broken_table()
    {
        var table = AcpiTests.Tables()["APIC"];
        table[45] = 7; /* an entry's length */
        File.WriteAllBytes(Path.Combine(_directory.FullName, "table.dat"), table);
        var (_, said) = Iasl("-d", "table.dat");
        said.ShouldContain("checksum", Case.Insensitive, "else the judge sees nothing");
    }

    private (int ExitCode, string Output) Iasl(params string[] arguments)
    {
        var start = new ProcessStartInfo("iasl", arguments)
        {
            WorkingDirectory = _directory.FullName,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            using var process = Process.Start(start) ?? throw new InvalidOperationException("iasl did not start");
            var output = process.StandardOutput.ReadToEndAsync();
            var errors = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(Deadline))
            {
                process.Kill();
                throw new TimeoutException($"iasl {string.Join(' ', arguments)} took more than {Deadline}");
            }

            return (process.ExitCode, output.GetAwaiter().GetResult() + errors.GetAwaiter().GetResult());
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            throw new InvalidOperationException("iasl is missing: install Debian's package acpica-tools", error);
        }
    }
}
