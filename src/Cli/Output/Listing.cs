using Spectre.Console;

namespace TwinKernel.Fleet.Cli.Output;

/// <summary>
/// A table: with lines around on a terminal, columns of plain text in a pipe. Cells are text, never markup. Where a
/// terminal is too narrow, all columns but the first are wrapped: nothing is cut off.
/// </summary>
internal sealed class Listing
{
    private readonly Table table;

    public Listing(bool onTerminal, params string[] columns)
    {
        table = new Table { Border = onTerminal ? TableBorder.Rounded : TableBorder.None };
        foreach (var column in columns)
        {
            table.AddColumn(new TableColumn(new Text(column, new Style(decoration: Decoration.Bold))) { NoWrap = !onTerminal || table.Columns.Count == 0 });
        }
    }

    public Table Table => table;

    public Listing AlignRight(int column)
    {
        table.Columns[column].Alignment = Justify.Right;
        return this;
    }

    public void Add(params string[] cells) => table.AddRow(cells.Select(cell => new Text(cell)));

    /// <summary>Prints the table, or a sentence when it has no rows.</summary>
    public void Print(Surroundings surroundings, string whenEmpty)
    {
        if (table.Rows.Count == 0)
        {
            surroundings.Out.WriteLine(whenEmpty);
            return;
        }

        surroundings.Console.Write(table);
    }
}
