import { del } from "../api/client";
import type { Binding } from "../api/types";
import { link, path } from "../state/route";
import { Arguments, Empty, Name } from "../ui/basics";
import { ask } from "../ui/dialog";
import { Table, type Column } from "../ui/table";

export const exchangeLink = (vhost: string, name: string) => link(["exchanges", vhost, name || "amq.default"]);

function destinationLink(binding: Binding): string {
  return binding.destination_type === "queue" ? link(["queues", binding.vhost, binding.destination]) : exchangeLink(binding.vhost, binding.destination);
}

function remove(binding: Binding, refresh: () => void): void {
  const kind = binding.destination_type === "queue" ? "q" : "e";
  ask({
    title: "Remove this binding?",
    text: `Messages from exchange '${binding.source}' with routing key '${binding.routing_key}' will reach ${binding.destination_type} '${binding.destination}' no more, unless another binding matches.`,
    act: "Remove binding",
    run: () => del(`/api/bindings${path(binding.vhost)}/e${path(binding.source)}/${kind}${path(binding.destination, binding.properties_key)}`).then(refresh),
    done: "The binding is removed.",
  });
}

interface BindingTableProps {
  bindings: Binding[];
  /** The end that is not known from the page. */
  show: "source" | "destination";
  refresh: () => void;
}

export function BindingTable({ bindings, show, refresh }: BindingTableProps) {
  if (bindings.length === 0) return <Empty>No bindings.</Empty>;
  const end: Column<Binding> =
    show === "source"
      ? {
          id: "source",
          title: "From exchange",
          cell: (binding) => (
            <a href={exchangeLink(binding.vhost, binding.source)}>
              <Name of={binding.source} empty="(AMQP default)" />
            </a>
          ),
        }
      : {
          id: "destination",
          title: "To",
          cell: (binding) => (
            <>
              <span class="faint">{binding.destination_type}</span>{" "}
              <a href={destinationLink(binding)}>
                <Name of={binding.destination} />
              </a>
            </>
          ),
        };
  const columns: Column<Binding>[] = [
    end,
    { id: "key", title: "Routing key", cell: (binding) => <Name of={binding.routing_key} empty="(empty)" /> },
    { id: "arguments", title: "Arguments", cell: (binding) => <Arguments of={binding.arguments} /> },
    {
      id: "acts",
      title: "Acts",
      hidesTitle: true,
      cell: (binding) =>
        binding.source !== "" && (
          <button type="button" class="small danger-quiet" onClick={() => remove(binding, refresh)}>
            Remove
          </button>
        ),
    },
  ];
  return <Table label="Bindings" columns={columns} rows={bindings} rowKey={(binding) => `${binding.source}\n${binding.destination_type}\n${binding.destination}\n${binding.properties_key}`} />;
}
