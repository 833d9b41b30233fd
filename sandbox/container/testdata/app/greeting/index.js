module.exports = 'hello from the image';
