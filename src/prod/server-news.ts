import type { Role } from "../core/io/trace.ts";

/** What a server tells its parent: that it listens, that it could not start, its role and who leads ("": unknown). */
export type ServerNews =
  | { readonly type: "started" }
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "role"; readonly role: Role; readonly leader: string };
