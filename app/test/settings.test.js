import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { readSettings } from '../src/settings.js';

describe('settings', () => {
  it('have a right value for everything that is not said', () => {
    for (const environment of [{}, { PORT: '', COLOUR: '' }]) {
      assert.deepEqual(readSettings(environment), {
        problems: [],
        settings: {
          port: 8080,
          host: undefined,
          colour: null,
          commit: null,
          logLevel: 'info',
          shutdownSeconds: 25,
          keepAliveSeconds: 65,
          liveSeconds: 20,
          metadataUri: null,
        },
      });
    }
  });

  it('keep idle connections longer than an Application Load Balancer does by default', () => {
    assert.ok(readSettings({}).settings.keepAliveSeconds > 60);
  });

  it('are read from the environment', () => {
    const { settings, problems } = readSettings({ PORT: '9000', COLOUR: 'green', SHUTDOWN_SECONDS: '120' });
    assert.deepEqual(problems, []);
    assert.equal(settings.port, 9000);
    assert.equal(settings.colour, 'green');
    assert.equal(settings.shutdownSeconds, 120);
  });

  it('report every problem at once, each with what a right value looks like', () => {
    const { problems } = readSettings({
      PORT: '80 80',
      COLOUR: 'purple',
      SHUTDOWN_SECONDS: '0',
      KEEP_ALIVE_SECONDS: '-5',
      ECS_CONTAINER_METADATA_URI_V4: 'nowhere',
    });
    assert.deepEqual(problems, [
      'PORT: "80 80" is not a whole number from 0 to 65535',
      'COLOUR: "purple" is not one of blue, green',
      'SHUTDOWN_SECONDS: "0" is not a whole number from 1 to 120',
      'KEEP_ALIVE_SECONDS: "-5" is not a whole number from 1 to 4000',
      'ECS_CONTAINER_METADATA_URI_V4: "nowhere" is not an http address, such as http://169.254.170.2/v4/0123456789abcdef',
    ]);
  });
});
