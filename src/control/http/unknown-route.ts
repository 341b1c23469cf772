import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Route } from '../../api/route.ts';
import { HatiError } from '../../errors.ts';

/** Refuses what no route is for: a path that there is not, or a method that is not for it. */
export function refuseUnknownRoute(
  routes: readonly Route[],
  request: FastifyRequest,
  reply: FastifyReply,
): never {
  const { method } = request;
  const [path] = request.url.split('?', 1);
  const allowed = methodsAt(routes, path!);
  if (allowed.length === 0)
    throw new HatiError('route_unknown', { params: { method, path: path! } });
  reply.header('allow', allowed.join(', '));
  throw new HatiError('method_unknown', { params: { method, path: path! }, details: { allowed } });
}

function methodsAt(routes: readonly Route[], path: string): readonly string[] {
  // As OpenAPI reads it: a path that is spelled out comes before one with parameters.
  const exact = routes.filter((route) => route.path === path);
  const fitting = routes.filter((route) => {
    const pattern = route.path.replaceAll('.', String.raw`\.`).replaceAll(/\{\w+\}/g, '[^/]+');
    return new RegExp(`^${pattern}$`).test(path);
  });
  const found = exact.length > 0 ? exact : fitting;
  return found.flatMap(({ method }) => (method === 'GET' ? [method, 'HEAD'] : [method]));
}
