import type { PeerCertificate } from "node:tls";

/** What a client may do. Each one includes those before it. */
export const actions = ["read", "append", "admin"] as const;
export type Action = (typeof actions)[number];

/** What a certificate (its units, OU) makes its holder: a node of the cluster, or a client that may act. */
export type Role = Action | "node";

/** Who is at the other end of a connection, by the certificate that was checked. */
export interface Identity {
  /** The certificate's common name; of a node its id. */
  readonly name: string;
  readonly roles: readonly Role[];
}

/**
 * Whether somebody may do something.
 * @param identity undefined: a client without a certificate, where none is asked for.
 */
export type Authorise = (identity: Identity | undefined, action: Action) => boolean;

/**
 * By the roles of the certificate. Who has none was let in by the configuration (`tlsClientAuth=false`), and is anybody: he
 * appends and reads, and administers nothing.
 */
export const authoriseByRole: Authorise = (identity, action) =>
  (identity?.roles ?? ["append"]).some(
    (role) => role !== "node" && actions.indexOf(role) >= actions.indexOf(action),
  );

type Subject = PeerCertificate["subject"];

/** What the subject of a certificate says; units that are no roles are passed over. */
export function identityOf(subject: Partial<Subject> | undefined): Identity {
  const list = (value: string | string[] | undefined): string[] =>
    value === undefined ? [] : Array.isArray(value) ? value : [value];
  const units = list(subject?.OU as string | string[] | undefined);
  const [name = ""] = list(subject?.CN as string | string[] | undefined);
  return {
    name,
    roles: units.filter((unit): unit is Role => unit === "node" || actions.includes(unit as Action)),
  };
}

/** `alice (read, append)`, for messages. */
export function describe({ name, roles }: Identity): string {
  return `${JSON.stringify(name)} (${roles.length === 0 ? "no role" : roles.join(", ")})`;
}
