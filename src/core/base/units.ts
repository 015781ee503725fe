/** Time is counted in integer microseconds everywhere in core: exact as a number for 285 years. */
export type Micros = number;

export const millisecond: Micros = 1_000;
export const second: Micros = 1_000_000;

export const kibibyte = 1_024;
export const mebibyte: number = 1_024 * 1_024;
