/** What nodes and clients take when nothing else is said: the three nodes of `npm start`. */
export const defaultPeers = "n0-127.0.0.1:40911;n1-127.0.0.1:40912;n2-127.0.0.1:40913";
export const defaultGroup = "default";
