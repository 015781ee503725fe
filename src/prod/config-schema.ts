import { z } from "zod";
import type { ConfigRule } from "./config-keys.ts";
import { parsePeers } from "./peer-list.ts";

export type ConfigValue = string | number | boolean;

const pathBytesMax = 4_096;

const schemas = new Map<ConfigRule, z.ZodType<ConfigValue>>();

/** The check of a key's value, which comes as text; what it gives is the value. */
export function schemaOf(rule: ConfigRule): z.ZodType<ConfigValue> {
  // To make one takes a hundred times as long as to use it.
  const schema = schemas.get(rule) ?? makeSchema(rule);
  schemas.set(rule, schema);
  return schema;
}

function makeSchema(rule: ConfigRule): z.ZodType<ConfigValue> {
  switch (rule.kind) {
    case "integer":
      return z
        .string()
        .regex(/^\d{1,16}$/)
        .transform(Number)
        .pipe(z.number().int().min(rule.min).max(rule.max).multipleOf(rule.multipleOf));
    case "flag":
      return z.enum(["true", "false"]).transform((text) => text === "true");
    case "word":
      return z.enum(rule.words);
    case "pattern":
      return z.string().regex(rule.pattern);
    case "path":
      return z
        .string()
        .min(1)
        .max(pathBytesMax)
        .refine((text) => !text.includes("\0"));
    case "peers":
      return z.string().refine((text) => parsePeers(text) !== undefined);
    default:
      return rule satisfies never;
  }
}
